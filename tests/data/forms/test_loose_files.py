"""Loose files: folders per label as audioset-download leaves them, and AST's manifests."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr

from holdings import RATE, audio_file, check_clips, examples, findings, import_
from packs import kinds
from panns.data.forms.ast_json import AstManifests
from panns.data.forms.folder import AudioFolder
from panns.data.importers import SourceError
from panns.data.labels import audioset_classes
from panns.data.manifest import ManifestSource
from panns.data.packing import PackError, index, pack
from panns.data.report import ImportReport

NAMES = {label.mid: label.name for label in audioset_classes()}


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("copies", [False, True])
def test_audioset_download(copies, tmp_path):
    for clip in examples():
        for mid in clip.mids if copies else clip.mids[:1]:
            write(tmp_path / "a" / NAMES[mid] / f"{clip.id}_30.0-40.0.wav", audio_file(clip.samples, RATE, "WAV"))
    for command in (index, pack):
        store, report = import_(command, AudioFolder(tmp_path / "a", by_label=True), tmp_path / command.__name__)
        check_clips(store, examples())
        assert kinds(report) == {"packed": 10, "missing": 1} | ({"duplicate": 10} if copies else {})


def test_audioset_download_in_the_folder_of_another_label(tmp_path):
    (clip, other, _) = examples("eval")
    write(tmp_path / "a" / "Music" / f"{clip.id}_30.0-40.0.wav", audio_file(clip.samples, RATE, "WAV"))
    write(tmp_path / "a" / "Music" / f"{other.id}_70.0-80.0.wav", audio_file(other.samples, RATE, "WAV"))
    store, report = import_(index, AudioFolder(tmp_path / "a", by_label=True), tmp_path)
    check_clips(store, [clip])
    assert findings(report, "label_differs") == [(clip.id, f"{clip.id}_30.0-40.0.wav")]
    assert findings(report, "unlisted") == [(other.id, f"{other.id}_70.0-80.0.wav")]
    _, report = import_(index, AudioFolder(tmp_path / "a"), tmp_path / "plain")
    assert findings(report, "label_differs") == []


def ast_json(path: Path, audio: Path, write_audio: bool = True) -> Path:
    """AST's `data/datafiles/*.json`, and its 16 kHz FLAC."""
    rows = []
    for clip in examples():
        file = audio / f"{clip.id}_30.000.flac"
        if write_audio:
            write(file, audio_file(soxr.resample(clip.samples, RATE, 16000), 16000))
        rows.append({"wav": str(file), "labels": ",".join(clip.mids)})
    path.write_text(json.dumps({"data": rows}, indent=1))
    return path


def test_ast_manifests(tmp_path):
    manifest = ast_json(tmp_path / "train.json", tmp_path / "audio_16k")
    with pytest.raises(PackError, match="add --allow-upsampling"):
        import_(pack, AstManifests([manifest]), tmp_path)
    for command in (index, pack):
        store, report = import_(command, AstManifests([manifest]), tmp_path / command.__name__, sample_rate=16000)
        assert kinds(report) == {"packed": 10, "missing": 1}
        assert np.array_equal(store.read(0), soxr.resample(examples()[0].samples, RATE, 16000))


@pytest.mark.parametrize(("key", "value"), [("labels", ["/m/09x0r"]), ("wav", None)])
def test_ast_manifest_whose_values_are_no_text(tmp_path, key, value):
    manifest = tmp_path / "train.json"
    manifest.write_text(json.dumps({"data": [{"wav": "a.flac", "labels": "/m/09x0r"} | {key: value}]}))
    with pytest.raises(SourceError, match=rf"train\.json: not of the form .*{key} is .*, which is no text"):
        ManifestSource(manifest).clips(ImportReport())


def test_ast_manifest_whose_audio_has_moved(tmp_path):
    manifest = ast_json(tmp_path / "train.json", tmp_path / "audio_16k")
    shutil.move(tmp_path / "audio_16k", tmp_path / "moved")
    with pytest.raises(
        SourceError, match=r"train\.json: none of its files is there, the first is .*--audio says where"
    ):
        import_(index, AstManifests([manifest]), tmp_path, sample_rate=16000)
    store, _ = import_(index, AstManifests([manifest], tmp_path / "moved"), tmp_path, sample_rate=16000)
    assert len(store) == 10
    manifest.write_text(manifest.read_text().replace(str(tmp_path / "audio_16k"), "moved"))  # from the manifest on
    store, _ = import_(index, AstManifests([manifest]), tmp_path / "relative", sample_rate=16000)
    assert len(store) == 10


def test_ast_manifest_whose_audio_has_moved_into_folders(tmp_path):
    manifest = ast_json(tmp_path / "train.json", tmp_path / "audio_16k")
    rows = json.loads(manifest.read_text())["data"]
    moved = tmp_path / "now"
    for number, row in enumerate(rows[1:]):  # the first has stayed where it was
        place = moved / ("part" if number % 2 else "audio_16k") / Path(row["wav"]).name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(row["wav"], place)
    store, report = import_(index, AstManifests([manifest], moved), tmp_path, sample_rate=16000)
    assert kinds(report) == {"packed": 10, "missing": 1}
    assert len(store) == 10
    twice = moved / "again" / Path(rows[2]["wav"]).name  # which of the two is meant is not known
    twice.parent.mkdir()
    shutil.copy(next(moved.rglob(twice.name)), twice)
    _, report = import_(index, AstManifests([manifest], moved), tmp_path / "twice", sample_rate=16000)
    assert kinds(report) == {"packed": 9, "missing": 2}
    (tmp_path / "other.json").write_text(json.dumps({"data": [{"wav": "/a/b.flac", "labels": "/m/09x0r"}]}))
    both = AstManifests([manifest, tmp_path / "other.json"], moved)
    with pytest.raises(
        SourceError, match=r"other\.json: none of its files is there, nor in or below .*now; .*/a/b\.fl"
    ):
        import_(index, both, tmp_path / "both", sample_rate=16000)


def test_a_folder_linked_into_itself_is_walked_once(tmp_path):
    clip, other = examples()[:2]
    write(tmp_path / "a" / "b" / f"Y{clip.id}.wav", audio_file(clip.samples, RATE, "WAV"))
    write(tmp_path / "elsewhere" / f"Y{other.id}.wav", audio_file(other.samples, RATE, "WAV"))
    (tmp_path / "a" / "b" / "loop").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "other").symlink_to(tmp_path / "elsewhere")
    _, report = import_(index, AudioFolder(tmp_path / "a"), tmp_path)
    assert kinds(report) == {"packed": 2, "missing": 9}


def test_ast_labels_are_compared(tmp_path):
    manifest = ast_json(tmp_path / "train.json", tmp_path / "audio_16k")
    clip = examples()[3]
    manifest.write_text(manifest.read_text().replace(",".join(clip.mids), "/m/04rlf"))
    _, report = import_(index, AstManifests([manifest]), tmp_path, sample_rate=16000)
    assert findings(report, "label_differs") == [(clip.id, f"{clip.id}_30.000.flac")]


def test_ast_manifest_of_own_data(tmp_path):
    manifest = ast_json(tmp_path / "train.json", tmp_path / "audio_16k")
    source = ManifestSource(manifest, class_list="audioset")
    report = index(source, tmp_path / "store", sample_rate=16000, jobs=1, show_progress=False)
    assert report.packed == 10


@pytest.mark.parametrize("text", ["", "[]", '{"data": [{"path": "a"}]}', '{"data": []}', '{"data": 3}'])
def test_other_json_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(SourceError, match=r"a\.json: (not of the form|no clips)"):
        import_(index, AstManifests([tmp_path / "a.json"]), tmp_path)
