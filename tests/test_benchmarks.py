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


@pytest.mark.slow
def test_the_sampler_benchmark_starts_and_checks_on_a_small_store(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import audioset_index
    import machine
    import sampler
    import sampler_promises

    audioset_index.write_store(tmp_path / "store", 0.001)
    assert sampler.start(tmp_path / "store")[0][0] == "open the store"
    assert sampler.choose(tmp_path / "store") > 0
    monkeypatch.setattr(sampler_promises, "CYCLES", 5)
    monkeypatch.setattr(sampler_promises, "STEPS", 3)
    checked = sampler.invariants(tmp_path / "store")
    drawn = int(checked["each clip drawn has the class"].split()[0].replace(",", ""))
    assert 2_000 < drawn < 2_700  # 5 cycles of the classes that a thousandth of AudioSet has
    own, mapped, workers = machine.fresh(sampler.memory, tmp_path / "store", "threads")
    assert own > mapped > workers == 0


@pytest.fixture
def scale(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import scale

    return scale


def test_the_tables_of_the_scale_plan_are_those_of_its_inputs(scale, monkeypatch, tmp_path, capsys):
    document = tmp_path / "scale.md"
    document.write_text(scale.DOCUMENT.read_text())
    monkeypatch.setattr(scale, "DOCUMENT", document)
    scale.main([])
    assert document.read_text() == (BENCHMARKS.parent / "docs" / "scale.md").read_text(), "run `make scale-plan`"
    scale.main(["gpu_clips_per_second=1000"])
    assert "| `gpu_clips_per_second` | 1,000 examples/s a GPU |" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="say NAME=NUMBER, NAME being one of gpu_clips_per_second"):
        scale.main(["gpus=1"])


def test_the_scale_plan_worked_by_hand(scale):
    from scale_inputs import Inputs
    from scale_model import AUDIOSET, SYSTEMS, run

    inputs, (one, eight, _) = Inputs(), SYSTEMS
    read, scored = 600_000 * 64, 300 * 20_371
    fast = run(inputs, one, "NVMe", "flac", AUDIOSET)
    assert fast.limit == "GPU"
    assert fast.hours == pytest.approx((read / 1000 + scored / 750) / 3600)
    assert fast.up_to == pytest.approx(8 / (0.0002 + 1 / 449) / 2)
    disk = run(inputs, eight, "NVMe", "pcm", AUDIOSET)
    assert disk.limit == "NVMe"
    assert disk.hours == pytest.approx((read + scored) / (3e9 / 640_000) / 3600)
    slow = scale.replace(inputs, object_gb_per_second=1e-4)  # so slow that only what is fetched counts
    fetched = AUDIOSET * (1 - np.exp(-read / AUDIOSET))
    got = run(slow, one, "object storage", "flac", AUDIOSET)
    assert got.hours * 3600 == pytest.approx(fetched * 330_000 / 1e5, rel=0.01)
    assert got.limit == "GPU, at first object storage"
    copies = scale.copies_table(inputs, AUDIOSET).splitlines()
    cells = [cell.strip() for cell in copies[-1].split("|")]  # mp3: 125.06 GB at 1, at 5 / 8 and at 2 GB/s
    assert cells[1:-1] == ["mp3", "125", "0.03", "0.06", "0.02", "11", "3", "0.83"]
    a100 = next(line for line in scale.gpu_table(inputs).splitlines() if "A100" in line)
    assert "| 312 | 518 |" in a100  # 312e12 x 0.2 / (6 x 20.075e9)
