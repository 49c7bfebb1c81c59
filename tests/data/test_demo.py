"""The demo set against the standards its sounds follow, its own strong labels, and the form of AudioSet."""

import csv
import hashlib
import itertools
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import find_peaks, hilbert

from panns import cli
from panns.data.demo import alarms, bells, classes, machines, signals, telephone
from panns.data.demo.classes import DEMO_CLASSES
from panns.data.demo.generate import NUM_EVAL, NUM_TRAIN, VERSION, DemoSetError, generate
from panns.data.demo.mixing import LEVELS_DB, mix
from panns.data.demo.parameters import Draw
from panns.data.demo.plan import eval_shares, plan, train_shares
from panns.data.labels import audioset_classes, read_segments

RATE = 32_000
SMALL = {"seed": 3, "num_train": 8, "num_eval": 6}


@pytest.fixture(scope="module")
def demo_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "set"
    generate(out, **SMALL, jobs=1)
    return out


def draw(seed: int = 0, held_out: bool = False) -> Draw:
    return Draw(np.random.default_rng(seed), held_out)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def strong_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def peaks_hz(sound: np.ndarray, within_db: float = 12.0) -> list[float]:
    """Frequencies of the spectral peaks within some dB of the strongest."""
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) + 1e-9)
    top, _ = find_peaks(spectrum, height=spectrum.max() - within_db, distance=round(20 * len(sound) / RATE))
    return [float(p) * RATE / len(sound) for p in top]


def on_off_seconds(sound: np.ndarray) -> tuple[list[float], list[float]]:
    """Lengths of the sounding and of the silent stretches, from the smoothed envelope."""
    envelope = np.convolve(np.abs(hilbert(sound)), np.ones(320) / 320, "same")
    on = envelope > 0.25 * np.percentile(envelope, 95)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], on.astype(int), [0]])))
    lengths = np.diff(edges) / RATE
    return list(lengths[0::2]), list(lengths[1::2])


# What the standards say


@pytest.mark.parametrize("seed", range(6))
def test_dial_tone_is_two_steady_tones(seed: int) -> None:
    sound = telephone.dial_tone(draw(seed), 4.0)
    low, high = peaks_hz(sound)
    assert low == pytest.approx(350, rel=0.01)
    assert high == pytest.approx(440, rel=0.01) or high == pytest.approx(450, rel=0.01)
    _on, off = on_off_seconds(sound[RATE // 10 : -RATE // 10])
    assert off == [] or max(off) < 0.01, "a dial tone does not stop (beats of the two tones aside)"


@pytest.mark.parametrize("seed", range(8))
def test_busy_signal_follows_one_of_the_national_plans(seed: int) -> None:
    sound = telephone.busy_signal(draw(seed), 6.0)
    carrier = tuple(peaks_hz(sound[: RATE // 4], within_db=8.0))
    on, off = on_off_seconds(sound)
    seconds = {1: (0.5, 0.375), 2: (0.5, 0.25)}[len(carrier)]
    assert any(np.allclose(on[1:-1], s, atol=0.04) and np.allclose(off[1:-1], s, atol=0.04) for s in seconds), (on, off)
    plans = ((480, 620), (425,), (400,))
    assert any(len(p) == len(carrier) and np.allclose(p, carrier, rtol=0.02) for p in plans), carrier


@pytest.mark.parametrize("seed", range(4))
def test_every_dialled_key_is_one_low_and_one_high_tone(seed: int) -> None:
    sound = telephone.dtmf(draw(seed), 6.0)
    rows, columns = np.array([697, 770, 852, 941]), np.array([1209, 1336, 1477, 1633])
    envelope = np.convolve(np.abs(sound), np.ones(320) / 320, "same")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (envelope > 0.3 * envelope.max()).astype(int), [0]])))
    keys = [sound[a:b] for a, b in edges.reshape(-1, 2) if b - a > 0.04 * RATE]
    assert len(keys) >= 8
    for key in keys:
        spectrum = np.abs(np.fft.rfft(key * np.hanning(len(key)), RATE))  # bins of 1 Hz
        low, high = int(spectrum[500:1075].argmax()) + 500, int(spectrum[1075:2000].argmax()) + 1075
        assert np.abs(rows - low).min() <= 0.018 * low, "ITU-T Q.23 allows 1.8 %"
        assert np.abs(columns - high).min() <= 0.018 * high


@pytest.mark.parametrize("seed", range(4))
def test_smoke_alarm_sounds_the_temporal_three(seed: int) -> None:
    sound = alarms.smoke_alarm(draw(seed), 8.0)
    on, off = on_off_seconds(sound)
    np.testing.assert_allclose(on[:6], 0.5, atol=0.02)
    np.testing.assert_allclose(off[:5], [0.5, 0.5, 1.5, 0.5, 0.5], atol=0.02)
    strongest = float(np.abs(np.fft.rfft(sound)).argmax()) * RATE / len(sound)
    assert strongest == pytest.approx(3100, rel=0.05) or strongest == pytest.approx(520, rel=0.05)


def test_reversing_beeps_are_even_and_clock_beeps_come_in_fours() -> None:
    on, off = on_off_seconds(alarms.reversing_beeps(draw(1), 8.0))
    np.testing.assert_allclose(on[1:8], off[1:8], atol=0.03)
    assert 60 <= 60 / (on[1] + off[1]) <= 112
    on, off = on_off_seconds(alarms.alarm_clock(draw(1), 6.0))
    np.testing.assert_allclose(off[3] / off[0], 5, rtol=0.2)
    np.testing.assert_allclose(off[:3], off[0], atol=0.01)


def test_noises_have_the_slope_of_their_name() -> None:
    for sound, slope in ((signals.white_noise(draw(), 8.0), 0.0), (signals.pink_noise(draw(), 8.0), -3.01)):
        power = np.abs(np.fft.rfft(sound)) ** 2
        edges = np.array([125 * 2**n for n in range(7)]) * 8  # octaves of a spectrum with 8 bins a hertz
        octaves = [10 * np.log10(power[a:b].mean()) for a, b in itertools.pairwise(edges)]
        np.testing.assert_allclose(np.diff(octaves), slope, atol=0.5)


def test_steady_and_swept_tones() -> None:
    assert len(peaks_hz(signals.sine_wave(draw(), 4.0), within_db=40)) == 1
    hum = machines.mains_hum(draw(2), 4.0)
    harmonics = np.array(peaks_hz(hum, within_db=30))
    numbers = [harmonics / mains for mains in (50.0, 60.0)]
    assert any(len(n) > 4 and np.abs(n - np.round(n)).max() < 0.03 for n in numbers), harmonics
    hertz = np.array(peaks_hz(bells.church_bell(draw(3), 1.2), within_db=20))
    for ratio in (0.5, 1.2, 2.0):  # hum, tierce, nominal
        assert any(np.abs(hertz / prime / ratio - 1).min() < 0.02 for prime in hertz)


# The clips


def test_same_bytes_whatever_the_number_of_processes(demo_set: Path, tmp_path: Path) -> None:
    generate(tmp_path / "twin", **SMALL, jobs=2)
    assert digests(tmp_path / "twin") == digests(demo_set)
    generate(tmp_path / "other", seed=4, num_train=8, num_eval=6, jobs=1)
    assert not set(digests(tmp_path / "other").values()) & {
        digest for name, digest in digests(demo_set).items() if name.endswith(".flac")
    }


@pytest.mark.parametrize(("split", "num_clips"), [("train", 8), ("eval", 6)])
def test_the_set_is_written_as_audioset_is(demo_set: Path, split: str, num_clips: int) -> None:
    segments = demo_set / f"{split}_segments.csv"
    lines = segments.read_text(encoding="utf-8").splitlines()
    assert [line.startswith("#") for line in lines] == [True] * 3 + [False] * num_clips
    rows = list(csv.reader(lines[3:], skipinitialspace=True))
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{11}", row[0]) and row[1:3] == ["0.000", "10.000"] for row in rows)
    files = {path.name for path in (demo_set / "audio" / split).iterdir()}
    assert files == {f"Y{row[0]}.flac" for row in rows}
    for name in files:
        info = soundfile.info(demo_set / "audio" / split / name)
        assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 1, 10 * RATE, "PCM_16")
    by_clip: dict[str, set[str]] = {}
    for row in strong_rows(demo_set / f"{split}_strong.tsv"):
        assert 0 <= float(row["start_time_seconds"]) < float(row["end_time_seconds"]) <= 10
        by_clip.setdefault(row["segment_id"].removesuffix("_0"), set()).add(row["label"])
    assert by_clip == {row[0]: set(row[3].split(",")) for row in rows}, "weak labels are the strong labels' set"
    assert [segment.id for segment in read_segments(segments)] == [row[0] for row in rows]


def test_class_list_is_the_official_one(demo_set: Path, request: pytest.FixtureRequest) -> None:
    official = request.config.rootpath.parent / "shared" / "audioset" / "class_labels_indices.csv"
    if not official.is_file():
        pytest.skip(f"the official class list is not at {official}")
    assert (demo_set / "class_labels_indices.csv").read_text("utf-8") == official.read_text("utf-8")


def test_mids_and_names_in_the_table_agree() -> None:
    names = dict(audioset_classes())
    source = Path(classes.__file__).read_text(encoding="utf-8")
    comments = re.findall(r"^    DemoClass\(.*\),  # (.+)$", source, re.MULTILINE)
    assert len(comments) == len(DEMO_CLASSES) == len({demo_class.mid for demo_class in DEMO_CLASSES}) >= 24
    assert [names[demo_class.mid] for demo_class in DEMO_CLASSES] == comments


@pytest.mark.parametrize("position", range(len(DEMO_CLASSES)), ids=lambda p: DEMO_CLASSES[p].sound.__name__)
def test_each_sound_stands_out_where_its_label_says_and_varies(position: int) -> None:
    demo_class = DEMO_CLASSES[position]
    clips = []
    for seed in (11, 12):
        clip, events = mix(draw(seed), [demo_class])
        assert clip.dtype == np.int16
        assert clip.shape == (10 * RATE,)
        assert 0 < np.abs(clip.astype(int)).max() <= 0.91 * 32767, "neither silent nor clipped"
        assert {event.mid for event in events} == set(demo_class.labels)
        start, end, _ = events[0]
        assert 0.1 <= start < end <= 9.9
        background = clip[: int(start * RATE) - 1].astype(float)
        inside = clip[int(start * RATE) : int(end * RATE)].astype(float)
        loudest = max(np.sqrt(np.mean(x**2)) for x in np.array_split(inside, len(inside) // 1600))
        assert 20 * np.log10(loudest / background.std()) > 12
        level = 20 * np.log10(loudest / 32767) + demo_class.quieter_db
        assert LEVELS_DB[0] - 6 < level < LEVELS_DB[1] + 6
        clips.append(inside)
    assert len(clips[0]) != len(clips[1]), "onset and length differ from clip to clip"


def test_several_sounds_in_one_clip_never_clip() -> None:
    rng = np.random.default_rng(0)
    for seed in range(12):
        chosen = [DEMO_CLASSES[i] for i in rng.choice(len(DEMO_CLASSES), 3, replace=False)]
        clip, events = mix(draw(seed, held_out=True), chosen)
        assert np.abs(clip.astype(int)).max() <= 0.91 * 32767
        assert {event.mid for event in events} == {mid for c in chosen for mid in c.labels}


# The whole set


def test_training_has_a_long_tail_and_evaluation_enough_of_each() -> None:
    for num_clips, shares, fewest, ratio in ((NUM_TRAIN, train_shares(), 4, 30), (NUM_EVAL, eval_shares(), 8, 1)):
        clips = plan(np.random.default_rng(0), num_clips, shares)
        assert len(clips) == num_clips
        assert all(1 <= len(clip) <= 3 and len(set(clip)) == len(clip) for clip in clips)
        counts = Counter(mid for clip in clips for mid in {m for i in clip for m in DEMO_CLASSES[i].labels})
        assert len(counts) == len(DEMO_CLASSES)
        assert min(counts.values()) >= fewest
        assert max(counts.values()) / min(counts.values()) >= ratio


def test_training_and_evaluation_never_share_a_parameter() -> None:
    train, held_out = draw(1), draw(2, held_out=True)
    seen = np.sort([train.uniform(0, 32) for _ in range(4000)])
    for value in (held_out.uniform(0, 32) for _ in range(1000)):
        assert int(value) % 4 == 2
        assert not np.any((seen >= int(value)) & (seen < int(value) + 1))
    assert {int(value) % 4 for value in seen} == {0, 1, 3}


def test_a_megabyte_budget(demo_set: Path) -> None:
    audio = list((demo_set / "audio").rglob("*.flac"))
    mean_bytes = np.mean([path.stat().st_size for path in audio])
    assert mean_bytes * (NUM_TRAIN + NUM_EVAL) < 250e6  # 14 clips estimate it roughly; the whole set takes about 160 MB


def test_a_finished_set_is_kept_and_another_never_overwritten(demo_set: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in demo_set.rglob("*")}
    generate(demo_set, **SMALL, jobs=1)
    assert {path: path.stat().st_mtime_ns for path in demo_set.rglob("*")} == before
    with pytest.raises(DemoSetError, match="name another folder"):
        generate(demo_set, seed=5, num_train=8, num_eval=6, jobs=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(DemoSetError, match="no demo set"):
        generate(tmp_path / "mine", **SMALL, jobs=1)
    with pytest.raises(DemoSetError, match="at least 1"):
        generate(tmp_path / "none", num_train=0)


def test_nothing_is_left_when_a_clip_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(soundfile, "write", disk_full)
    with pytest.raises(OSError, match="no space left"):
        generate(tmp_path / "set", **SMALL, jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == [".set.lock"]


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["demo", "--num-train", "2", "--num-eval", "2", "--jobs", "1", "--out", str(tmp_path / "set")]
    assert cli.main(command) == 0
    made = json.loads((tmp_path / "set" / "demo.json").read_text())
    assert made == {"version": VERSION, "seed": 0, "num_train": 2, "num_eval": 2}
    assert cli.main([*command, "--seed", "1"]) == 2
    assert "name another folder" in capsys.readouterr().err
