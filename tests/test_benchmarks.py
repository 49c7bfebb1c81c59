"""The benchmarks compare what they say, and run."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import gpu, released_way

from panns.zoo import create_model


@pytest.mark.parametrize(
    ("name", "features", "channels", "hidden"),
    [("cnn14", released_way.cnn14, 2048, 2048), ("mobilenet_v1", released_way.mobilenet_v1, 1024, 1024)],
)
def test_the_released_way_stated_again_is_the_same_network(name, features, channels, hidden, no_init):
    ours, theirs = create_model(name).eval(), released_way.ReleasedWay(features(), channels, hidden).eval()
    for module in ours.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)
    released_way.copy_weights(ours, theirs)
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters() if p.requires_grad)
    waveform = 0.1 * torch.randn(2, 64000)
    with torch.no_grad():
        want = theirs(waveform)
        got = ours.probabilities(waveform)
    assert want.std() > 0.05  # the comparison sees something
    torch.testing.assert_close(got, want, rtol=0, atol=1e-4)


def test_the_gpu_benchmark_runs_through_on_a_cpu(tmp_path, capsys):
    out = tmp_path / "results" / "cpu.json"
    options = ("--device", "cpu", "--steps", "1", "--warmup", "0", "--model", "mobilenet_v2", "--batches", "1")
    assert gpu.main([*options, "--out", str(out)]) == 0
    result = json.loads(out.read_text())
    (row,) = result["rows"]
    assert row["clips/s"] == pytest.approx(1000 / row["ms/step"], rel=0.1)
    assert 0 < row["share of peak"] < 1
    assert torch.__version__ in result["versions"]
    assert "| 1 | False |" in capsys.readouterr().out


def test_the_gpu_benchmark_says_that_there_is_no_gpu(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 1
    assert "no CUDA GPU" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        gpu.main(["--out", str(tmp_path / "result.txt")])


BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def loading(monkeypatch):
    """The module, with clips of half a second."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import clips
    import loading

    monkeypatch.setattr(clips, "CLIP_SECONDS", 0.5)
    monkeypatch.setattr(loading, "PASSES", dict.fromkeys(loading.PASSES, 1))
    return loading


def test_all_ways_of_loading_load_the_same_clips_in_the_same_order(loading, tmp_path, monkeypatch, capsys):
    import data

    folder = tmp_path / "clips"
    options = ["--clips", str(2 * loading.BATCH), "--turns", "1", "--threads", "1", "--folder", str(folder)]
    monkeypatch.setattr(sys, "argv", ["data.py", *options])
    data.main()
    printed = capsys.readouterr().out
    assert "| panns, pcm / released way, HDF5 | " in printed
    assert "| panns, flac | 1 | cold | " in printed
    stores = {name: loading.ClipStore.open(folder / name) for name in ("pcm", "flac")}
    theirs = torch.cat(list(loading.released(folder / "waveforms.h5", stores["pcm"], 1)))
    assert len(theirs) == 2 * loading.BATCH
    assert theirs.std() > 0.05
    for name, store in stores.items():
        ours = torch.cat([waveform.clone() for waveform in loading.panns(store, 2, 1)()])
        torch.testing.assert_close(ours.float() / 32767, theirs, rtol=0, atol=1e-6, msg=name)
    decoded = [clip[0] for clip in loading.bare_decoder(stores["flac"], 1)()]
    assert np.array_equal(np.stack(decoded), ours)
