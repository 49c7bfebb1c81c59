"""Each form in which people hold AudioSet, from the command line to the data sets of the same names."""

import re
from functools import partial
from pathlib import Path

import hydra
import numpy as np
import pytest

from holdings import (
    LISTS,
    RATE,
    audio_file,
    check_clips,
    confit_members,
    examples,
    huggingface_parquet,
    huggingface_row,
    panns_hdf5,
    passt_hdf5,
    tar,
    write_lists,
)
from panns.cli import main
from panns.data.labels import audioset_classes
from panns.data.store import ClipStore
from runs import config


def write(folder: Path, name) -> None:
    for clip in examples():
        path = folder / name(clip)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(audio_file(clip.samples))


def by_label(clip) -> str:
    name = next(label.name for label in audioset_classes() if label.mid == clip.mids[0])
    return f"{name}/{clip.id}_30.0-40.0.flac"


def parquet(folder: Path) -> None:
    rows = [huggingface_row(clip, audio_file(clip.samples, subtype="PCM_24")) for clip in examples()]
    huggingface_parquet(folder / "data/bal_train/00.parquet", rows)


FORMS = {  # what is written, the arguments that name it, and whether it can be read in place
    "audioset": (lambda folder: write(folder, lambda clip: f"Y{clip.id}.flac"), "--audio", True),
    "folders": (lambda folder: write(folder, by_label), "--audio", True),
    "panns-hdf5": (lambda folder: panns_hdf5(folder / "waveforms/eval.h5", [None, *examples()]), "--files", True),
    "tar": (lambda folder: tar(folder / "0.tar", confit_members(examples(), RATE)), "--files", True),
    "passt": (lambda folder: passt_hdf5(folder / "eval_segments_mp3.hdf", examples()), "--files", False),
    "huggingface": (parquet, "--files", False),
}

IN_PLACE = [form for form, (_, _, in_place) in FORMS.items() if in_place]


@pytest.mark.parametrize("command", ["index", "pack"])
@pytest.mark.parametrize("form", FORMS)
def test_form_from_the_command_line_to_the_data_sets(form, command, tmp_path, capsys):
    prepare, argument, in_place = FORMS[form]
    prepare(tmp_path / "held")
    out, lists = tmp_path / "store", [str(path) for path in write_lists(tmp_path)]
    arguments = [form, "--segments", *lists, argument, str(tmp_path / "held"), "--out", str(out), "--jobs", "1"]
    if command == "index" and not in_place:
        with pytest.raises(SystemExit):
            main([command, *arguments])
        assert f"invalid choice: '{form}'" in capsys.readouterr().err
        return
    assert main([command, *arguments, "--clip-seconds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "10 clips (eval 3, balanced_train 3, unbalanced_train 4), 527 classes" in printed
    assert re.search(r"missing +1 ", printed)
    check_clips(ClipStore.open(out), examples(), rms_error=400 if form == "passt" else 0)
    for data, splits in (("audioset_balanced", LISTS["balanced_train"]), ("audioset_full", None)):
        module = hydra.utils.instantiate(config(f"data={data}", f"data.store={out}").data)
        ids = {module.store.id[row].decode() for row in module.train_rows}
        assert ids == set(splits or [c.id for c in examples("balanced_train", "unbalanced_train")])
        assert {module.store.id[row].decode() for row in module.validation_rows} == set(LISTS["eval"])


def test_sampled_check_is_the_default_for_packs_in_place_and_is_said(tmp_path, capsys):
    panns_hdf5(tmp_path / "eval.h5", examples())
    lists = [str(path) for path in write_lists(tmp_path)]
    arguments = ["index", "panns-hdf5", "--segments", *lists, "--files", str(tmp_path / "eval.h5"), "--jobs", "1"]
    assert main([*arguments, "--out", str(tmp_path / "sample"), "--clip-seconds", "1"]) == 0
    assert re.search(r"unchecked +9 +never read", capsys.readouterr().out)
    assert main([*arguments, "--out", str(tmp_path / "all"), "--clip-seconds", "1", "--check", "all"]) == 0
    assert "unchecked" not in capsys.readouterr().out
    assert np.count_nonzero(ClipStore.open(tmp_path / "all").crc32) == 10


def test_mp3_is_the_default_for_passt_only(tmp_path, capsys):
    passt_hdf5(tmp_path / "eval_segments_mp3.hdf", examples())
    lists = [str(path) for path in write_lists(tmp_path)]
    call = partial(
        main, ["pack", "passt", "--segments", *lists, "--files", str(tmp_path), "--out", str(tmp_path / "s")]
    )
    assert call() == 0
    assert main(["info", str(tmp_path / "s")]) == 0
    assert "codecs       mp3 10" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["pack", "index"])
def test_help_says_what_each_form_is(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    listed = re.findall(r"^    ([a-z0-9-]+)\s", capsys.readouterr().out, re.MULTILINE)
    assert listed == [*(FORMS if command == "pack" else IN_PLACE), "ast", "lhotse", "csv", "esc50"]
