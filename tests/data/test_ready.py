from functools import partial

import pytest

from panns.data import ClipStore, StoreError
from panns.data.demo import generate as demo
from panns.data.ready import make_demo, make_esc50, open_or_prepare


def test_the_demo_set_is_made_where_there_is_nothing_and_kept_where_it_is(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(demo.generate, "__defaults__", (0, 6, 4, 1))  # in this process; the command gets its own
    root, store = tmp_path / "data" / "demo", tmp_path / "data" / "demo-store"
    monkeypatch.setattr("panns.data.ready._panns", small_panns)
    opened = open_or_prepare(store, partial(make_demo, root=root))
    assert {split: len(opened.rows([split])) for split in opened.splits} == {"train": 6, "eval": 4}
    assert "complete: kept" not in caplog.text  # as it was only just made
    before = (store / "meta.json").stat().st_mtime_ns
    open_or_prepare(store, partial(make_demo, root=root))
    assert (store / "meta.json").stat().st_mtime_ns == before
    assert caplog.text.count("complete: kept") == 1


def small_panns(*arguments):
    from panns.cli import main

    assert main([*map(str, arguments), "--num-train", "6", "--num-eval", "4", "--jobs", "1"]) == 0


def test_a_failed_command_is_told(tmp_path, capfd):
    with pytest.raises(StoreError, match=r"`panns pack esc50 --root .* failed, see above"):
        make_esc50(tmp_path / "store", tmp_path / "nothing")
    assert "nothing" in capfd.readouterr().err


def test_esc50_is_packed_on_first_use_and_refused_from_another_root(shared, tmp_path):
    store = tmp_path / "store"
    make_esc50(store, shared / "audio" / "esc10")
    assert len(ClipStore.open(store)) == 400
    other = tmp_path / "other"
    (other / "meta").mkdir(parents=True)
    (other / "audio").mkdir()
    lines = (shared / "audio" / "esc10" / "meta" / "esc50.csv").read_text().splitlines()
    (other / "meta" / "esc50.csv").write_text("\n".join(lines[:20]) + "\n")
    with pytest.raises(ValueError, match="made otherwise"):
        make_esc50(store, other)
