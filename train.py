"""Trains a PANN: python train.py model=wavegram_logmel data=audioset_full

Everything is chosen in conf/; `python train.py --help` lists the choices.
"""

if __name__ == "__main__":
    from panns.starting import starting

    starting()  # before all else

import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from panns.models.complexity import model_size
from panns.training.announce import announce
from panns.training.checkpoints import LAST
from panns.training.checks import check_choices
from panns.training.conclude import print_files
from panns.training.errors import told_plainly
from panns.training.flags import end_where_nobody_reads, is_multirun
from panns.training.freezing import check_has_weights
from panns.training.loggers import closed_at_end
from panns.training.memory import memory_given_back
from panns.training.overrides import check_overrides
from panns.training.parallel import lost_ranks_told
from panns.training.report import report
from panns.training.resuming import check_fits, check_same_data
from panns.training.run import Run, objective_of, register_resolvers
from panns.training.start import check_one_start, check_same_start, start_now, start_of, weights_to_start
from panns.training.trainer import made_callbacks, seed_everything
from panns.weights.loading import load_weights


@memory_given_back
def train(cfg: DictConfig) -> float | None:
    """Runs one configuration from where it stands to its end; returns its objective, None where it has no value."""
    check_one_start(cfg.resume, cfg.checkpoint)
    with Run(cfg.run_dir, cfg.resume) as run:
        results = run.results()
        if results is None:
            results = train_and_score(cfg, run)
            run.finish(results)
        else:
            before = results["fingerprint"]
            if (Path(cfg.data.store) / "meta.json").is_file():  # else the data is gone, and the run still finished
                check_same_data(run.folder, before, instantiate(cfg.data).fingerprint)
            check_same_start(run.folder, before, start_now(cfg.checkpoint))
            score = objective_of(results, cfg.objective)
            told = "has no value" if score is None else f"{score:.4f}"
            print(f"Finished before: {cfg.objective} {told}; resume=never trains anew.")
            print_files(run.folder)
        return objective_of(results, cfg.objective)


def train_and_score(cfg: DictConfig, run: Run) -> dict[str, Any]:
    """Makes what is configured, trains it, or goes on, and scores it; returns the content of metrics.json."""
    seed_everything(cfg.seed)

    augmentation = instantiate(cfg.augmentation)
    data = instantiate(cfg.data, sampler=instantiate(cfg.sampler), draws_per_example=augmentation.draws_per_example)
    model = instantiate(cfg.model, num_classes=data.num_classes)
    resumed = run.checkpoint()
    weights = weights_to_start(cfg.checkpoint) if resumed is None else None
    fingerprint = data.fingerprint | (start_of(weights) if resumed is None else start_now(cfg.checkpoint))
    task = instantiate(cfg.task)(
        model,
        instantiate(cfg.optimizer),
        instantiate(cfg.scheduler),
        augmentation,
        data.classes,
        class_counts=data.train_class_counts,
        single_label=data.store.single_label,
        sample_rate=data.store.sample_rate,
        hyper_parameters=OmegaConf.to_container(cfg, resolve=True) | {"fingerprint": fingerprint},
    )
    callbacks = made_callbacks(instantiate(cfg.callbacks))
    check_choices(task, data, cfg.objective, callbacks)
    loggers = list(instantiate(cfg.get("logger") or {}).values())
    with closed_at_end(loggers), lost_ranks_told(run.checkpoints / LAST):
        trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=loggers)
        start, changed = None, {}
        if resumed is not None:
            changed = check_fits(resumed, task.state_dict(), task.hparams)
        elif weights is not None:
            start = load_weights(model, weights, OmegaConf.to_container(cfg.model, resolve=True))
        check_has_weights(task.freeze, has_weights=start is not None or resumed is not None)
        size = model_size(model, data.clip_seconds)
        announce(cfg, task, data, size, trainer, start, resumed, changed)
        if trainer.max_epochs != 0 or resumed is not None:  # else the weights are only scored
            trainer.fit(task, data, ckpt_path=resumed, weights_only=True)
        return report(run, trainer, task, data, size)


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Hydra's entry."""
    with told_plainly():
        return train(cfg)


if __name__ == "__main__":
    end_where_nobody_reads(sys.argv[1:])
    register_resolvers()
    check_overrides(sys.argv[1:], Path(__file__).with_name("conf"), single_run=not is_multirun(sys.argv[1:]))
    main()
