"""Zip archives of audio files, stored and deflated, whole and damaged."""

import zipfile
import zlib
from pathlib import Path

import pytest

from holdings import RATE, Example, audio_file, check_clips, example, examples, findings, import_
from panns.data.forms.archives import Archives, zip_spans
from panns.data.packing import index, pack
from panns.data.places import Span


def zipped(path: Path, clips: list[Example], compression: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.mkdir("audio") if hasattr(archive, "mkdir") else None
        for clip in clips:
            archive.writestr(f"audio/{clip.id}.wav", audio_file(clip.samples, RATE, "WAV"))
    return path


def test_zip_archives(tmp_path):
    stored = zipped(tmp_path / "stored" / "eval.zip", examples("eval"), zipfile.ZIP_STORED)
    deflated = zipped(tmp_path / "deflated" / "train.zip", examples("balanced_train"), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(deflated) as archive, deflated.open("rb") as file:
        for span in zip_spans(deflated):
            file.seek(span.start)
            (content,) = span.read(str(deflated), [span])
            assert content == archive.read(span.name)
    store, report = import_(index, Archives([stored, deflated]), tmp_path)
    check_clips(store, examples("eval"))
    assert report.counts["needs_pack"] == 3
    store, _ = import_(pack, Archives([stored, deflated]), tmp_path / "packed")
    check_clips(store, examples("eval", "balanced_train"))
    other = zipped(tmp_path / "other.zip", [example("plain123456")], zipfile.ZIP_LZMA)
    (tmp_path / "none.zip").write_bytes(b"no zip")
    _, report = import_(pack, Archives([stored, other, tmp_path / "none.zip"]), tmp_path / "others")
    assert [name for _, name in findings(report, "damaged_file")] == ["other.zip", "none.zip"]


@pytest.mark.parametrize(
    ("command", "method"), [(index, zipfile.ZIP_STORED), (pack, zipfile.ZIP_STORED), (pack, zipfile.ZIP_DEFLATED)]
)
def test_a_zip_member_that_is_not_what_its_crc32_says(command, method, tmp_path):
    clip, other, path = example("plain123456"), example("--dashes--_"), tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for one in (clip, other):
            archive.writestr(f"{one.id}.wav", audio_file(one.samples, RATE, "WAV"))
    path.write_bytes(with_other_samples(path.read_bytes(), next(zip_spans(path))))
    _, report = import_(command, Archives([path]), tmp_path)
    assert findings(report, "unreadable") == [(clip.id, f"a.zip, {clip.id}.wav")]
    assert report.packed == 1


def with_other_samples(archive: bytes, span: Span) -> bytes:
    """The archive with a bit of this member flipped that leaves it a file of its length."""
    for place in range(span.start + span.nbytes // 2, span.start + span.nbytes):
        damaged = bytearray(archive)
        damaged[place] ^= 1
        payload = damaged[span.start : span.start + span.nbytes]
        try:
            if not span.deflated or len(zlib.decompress(payload, -zlib.MAX_WBITS)) == 2 * RATE + 44:
                return bytes(damaged)
        except zlib.error:
            continue
    raise AssertionError("every change breaks the stream")
