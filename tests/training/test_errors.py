from runs import start


def test_what_a_foreign_class_refuses_is_told_in_one_line_with_what_was_given(tones, tmp_path):
    (runs := tmp_path / "runs").mkdir()
    for given, says in (
        ("trainer.precision=33", "train.py: trainer cannot be made: Precision 33 is invalid. Allowed"),
        (
            "data.transform={_target_:mine.louder}",
            "train.py: data.transform cannot be made: Error loading 'mine.louder'",
        ),
        ("data.store=???", "train.py: data.store has no value of its own: give one, data.store=..."),
        (
            "objective=val/mAPP",
            "train.py: objective=val/mAPP: there is no such score. Did you mean val/mAP? Choices: val/mAP, val/mAUC, "
            "val/d_prime, val/mAP_frequent, val/mAP_medium, val/mAP_rare.",
        ),
        ("optimizer.lr=-1", "train.py: optimizer: Invalid learning rate: -1."),  # leaves a folder
    ):
        done = start(tones, runs / "run", given, "logger=wandb")
        assert done.returncode == 1
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith(says), done.stderr
        assert "Traceback" not in done.stderr
        if not given.startswith("optimizer"):
            assert not any(runs.iterdir()), given
