"""PANNs' and PaSST's HDF5 packs."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from holdings import (
    FRAMES,
    LISTS,
    RATE,
    Example,
    audio_file,
    check_clips,
    example,
    examples,
    findings,
    import_,
    mp3,
    panns_hdf5,
    passt_hdf5,
    write_lists,
)
from packs import kinds
from panns.data.audioset import AudioSetSource
from panns.data.codecs import CODECS
from panns.data.forms.hdf5 import MP3, WAVEFORM, Hdf5Packs
from panns.data.importers import SourceError
from panns.data.packing import PackError, index, pack

PART_0, PART_1 = (LISTS["unbalanced_train"][:2], LISTS["unbalanced_train"][2:4])


def panns_folder(root: Path, **options) -> Hdf5Packs:
    """`hdf5s/waveforms` with two parts of the unbalanced list; the file of every second clip was missing."""
    panns_hdf5(root / "balanced_train.h5", [None, *examples("balanced_train")], **options)
    panns_hdf5(root / "eval.h5", [*examples("eval"), None], **options)
    for number, ids in enumerate((PART_0, PART_1)):
        rows = [row for clip_id in ids for row in (None, example(clip_id))]
        panns_hdf5(root / f"unbalanced_train/unbalanced_train_part{number:02d}.h5", rows, **options)
    return Hdf5Packs([root], WAVEFORM)


@pytest.mark.parametrize("check", ["all", "sample"])
def test_panns_packs_are_read_where_they_lie(check, tmp_path):
    store, report = import_(index, panns_folder(tmp_path / "waveforms"), tmp_path, check=check)
    check_clips(store, examples())
    assert not (tmp_path / "store" / "shards").exists()
    assert sorted(path.name for path in store.files)[:2] == ["balanced_train.h5", "eval.h5"]
    for row in range(len(store)):  # the index against the HDF5 library
        with h5py.File(store.file_path(store.file[row])) as file:
            at = list(file["audio_name"][:]).index(b"Y" + store.id[row] + b".wav")
            np.testing.assert_array_equal(store.read(row), file["waveform"][at])
    unchecked = np.count_nonzero(store.crc32 == 0)
    assert unchecked == (0 if check == "all" else 9)  # of the four files only eval.h5 has a clip in row 0
    expected = {"packed": 10, "missing": 1, "empty_row": 6} | ({"unchecked": unchecked} if unchecked else {})
    assert kinds(report) == expected
    assert findings(report, "empty_row")[0] == ("", "balanced_train.h5, row 0")


def test_rows_that_nobody_has_read_are_counted_again_when_the_store_is_there(tmp_path):
    folder = panns_folder(tmp_path / "waveforms")
    _, first = import_(index, folder, tmp_path, check="sample")
    _, again = import_(index, folder, tmp_path, check="sample")
    assert again.counts == first.counts
    with pytest.raises(PackError, match=r"check was 'sample', is None"):
        import_(index, folder, tmp_path, check="all")


def test_rows_shorter_than_a_clip_are_counted_read_or_not(tmp_path):
    (tmp_path / "lists").mkdir()
    twice_as_long = AudioSetSource(
        write_lists(tmp_path / "lists"), panns_folder(tmp_path / "waveforms"), 2 * FRAMES / RATE
    )
    report = index(twice_as_long, tmp_path / "store", check="sample", jobs=1, show_progress=False)
    assert kinds(report) == {"packed": 10, "unchecked": 9, "missing": 1, "empty_row": 6, "short": 10}


def test_names_without_an_ending(tmp_path):
    path = panns_hdf5(tmp_path / "eval.h5", examples("eval"))
    with h5py.File(path, "r+") as file:
        file["audio_name"][...] = [name.removesuffix(b".wav") for name in file["audio_name"][...]]
    store, _ = import_(index, Hdf5Packs([path], WAVEFORM), tmp_path)
    check_clips(store, examples("eval"))


def test_row_without_checksum_is_still_held_to_its_length(tmp_path):
    store, _ = import_(index, panns_folder(tmp_path / "waveforms"), tmp_path, check="sample")
    row = int(np.flatnonzero(store.crc32 == 0)[0])
    path = store.file_path(store.file[row])
    with path.open("r+b") as file:
        file.seek(int(store.offset[row]))
        file.write(b"\1\1")
    assert store.read(row)[0] == 257  # not noticed, and so said: the row is unchecked
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ValueError, match="cut or replaced"):
        import_(index, Hdf5Packs([tmp_path / "waveforms"], WAVEFORM), tmp_path, check="sample")


def test_sampled_check_finds_silent_rows_only_where_it_reads(tmp_path):
    clips = [example(clip_id)._replace(samples=np.zeros(FRAMES, np.int16)) for clip_id in LISTS["eval"]]
    packs = Hdf5Packs([panns_hdf5(tmp_path / "eval.h5", clips)], WAVEFORM)
    _, report = import_(index, packs, tmp_path / "sample", check="sample")
    assert (report.counts["packed"], report.counts["silent"]) == (2, 1)
    with pytest.raises(PackError, match=r"not one clip to index.*3 silent"):
        import_(index, packs, tmp_path / "all", check="all")


def test_panns_packs_at_another_rate_need_packing(tmp_path):
    packs = panns_folder(tmp_path / "waveforms")
    store, _ = import_(pack, packs, tmp_path, sample_rate=16000)
    assert (store.sample_rate, set(store.frames.tolist())) == (16000, {16000})
    with pytest.raises(PackError, match=r"not one clip to index.*10 needs_pack"):
        import_(index, packs, tmp_path / "index", sample_rate=16000)


@pytest.mark.parametrize("options", [{"chunks": True}, {"chunks": (2, 5000), "compression": "gzip"}, {"fillvalue": 0}])
def test_compressed_packs_are_packed_sample_by_sample(options, tmp_path):
    packs = panns_folder(tmp_path / "waveforms", **options)
    store, report = import_(pack, packs, tmp_path)
    check_clips(store, examples())
    assert kinds(report) == {"packed": 10, "missing": 1, "empty_row": 6}
    if "chunks" in options:
        with pytest.raises(PackError, match=r"not one clip to index.*10 needs_pack"):
            import_(index, packs, tmp_path / "index")


def test_other_byte_order_is_packed(tmp_path):
    path = panns_hdf5(tmp_path / "eval.h5", examples("eval"))
    with h5py.File(path, "a") as file:
        waveform = file["waveform"][:]
        del file["waveform"]
        file.create_dataset("waveform", data=waveform.astype(">i2"))
    store, _ = import_(pack, Hdf5Packs([path], WAVEFORM), tmp_path)
    check_clips(store, examples("eval"))


def test_labels_of_the_pack_are_compared_and_never_used(tmp_path):
    clips = examples("eval")
    wrong = clips[1]._replace(mids=(*clips[1].mids, "/m/04rlf"))
    store, report = import_(index, Hdf5Packs([panns_hdf5(tmp_path / "e.h5", [clips[0], wrong])], WAVEFORM), tmp_path)
    check_clips(store, clips[:2])
    assert findings(report, "label_differs") == [(wrong.id, "e.h5, row 1")]
    (detail,) = [found.detail for found in report.findings if found.what == "label_differs"]
    assert detail.startswith("/m/04rlf; ")
    assert detail.endswith(f" there, {'; '.join(sorted(clips[1].mids))} in the list")


def test_second_rows_and_unlisted_ones_are_reported(tmp_path):
    clips, stranger = examples("eval"), Example("stranger_12", ("/m/04rlf",), example(LISTS["eval"][0]).samples)
    first = panns_hdf5(tmp_path / "a.h5", clips)
    second = panns_hdf5(tmp_path / "b.h5", [clips[0], stranger])
    _, report = import_(index, Hdf5Packs([first, second], WAVEFORM), tmp_path)
    assert findings(report, "duplicate") == [(clips[0].id, "b.h5, row 0")]
    assert findings(report, "unlisted") == [("Ystranger_12", "b.h5, row 1")]


def test_damaged_pack_is_named_and_the_others_are_used(tmp_path):
    packs = panns_folder(tmp_path / "waveforms")
    cut = tmp_path / "waveforms" / "unbalanced_train" / "unbalanced_train_part01.h5"
    os.truncate(cut, cut.stat().st_size - 1000)
    (tmp_path / "waveforms" / "notes.h5").write_text("no HDF5")
    store, report = import_(index, packs, tmp_path)
    assert len(store) == 8
    assert findings(report, "damaged_file") == [("", "notes.h5"), ("", cut.name)]
    assert {clip_id for clip_id, _ in findings(report, "missing")} == {*PART_1, LISTS["unbalanced_train"][4]}


def test_what_is_no_pack_is_refused(tmp_path):
    path = panns_hdf5(tmp_path / "eval.h5", examples("eval"))
    with pytest.raises(SourceError, match=r"eval\.h5: no data set mp3; it holds audio_name, target, waveform"):
        import_(pack, Hdf5Packs([path], MP3), tmp_path)
    with h5py.File(path, "a") as file:
        del file.attrs["sample_rate"]
    with pytest.raises(SourceError, match="no attribute `sample_rate`; add it"):
        import_(index, Hdf5Packs([path], WAVEFORM), tmp_path)
    with h5py.File(path, "a") as file:
        file.attrs["sample_rate"] = RATE
        del file["waveform"]
        file.create_dataset("waveform", data=np.zeros((3, 10), np.float32))
    with pytest.raises(SourceError, match="holds 2-D float32 where PANNs' packs hold 2-D int16"):
        import_(index, Hdf5Packs([path], WAVEFORM), tmp_path)
    with pytest.raises(SourceError, match=r"no \.h5 or \.hdf5 or \.hdf file in this folder"):
        import_(index, Hdf5Packs([tmp_path / "lists"], WAVEFORM), tmp_path)
    with pytest.raises(SourceError, match=r"gone: no such file or folder"):
        import_(index, Hdf5Packs([tmp_path / "gone"], WAVEFORM), tmp_path)


# PaSST


def passt_folder(root: Path) -> Hdf5Packs:
    passt_hdf5(root / "balanced_train_segments_mp3.hdf", examples("balanced_train"))
    passt_hdf5(root / "eval_segments_mp3.hdf", examples("eval"))
    passt_hdf5(root / "unbalanced_train_segments_mp3.hdf", examples("unbalanced_train"), prefix="07/")
    return Hdf5Packs([root], MP3)


def test_passt_mp3_is_copied_byte_by_byte(tmp_path):
    store, report = import_(pack, passt_folder(tmp_path / "mp3"), tmp_path, codec="mp3")
    clips = examples()
    check_clips(store, clips, rms_error=400)
    assert kinds(report) == {"packed": 10, "missing": 1}
    assert {CODECS[codec] for codec in store.codec} == {"mp3"}
    for row in range(len(store)):
        with store.file_path(store.file[row]).open("rb") as shard:
            shard.seek(store.offset[row])
            clip_id = store.id[row].decode()
            assert shard.read(store.nbytes[row]) == mp3(next(clip for clip in clips if clip.id == clip_id))


def test_passt_decoded_to_flac(tmp_path):
    store, _ = import_(pack, passt_folder(tmp_path / "mp3"), tmp_path, codec="flac")
    check_clips(store, examples(), rms_error=400)
    assert {CODECS[codec] for codec in store.codec} == {"flac"}


def test_only_mono_mp3_of_the_rate_is_copied(tmp_path):
    clips = examples("eval", "balanced_train")
    payloads = [mp3(clip) for clip in clips]
    payloads[0] = mp3(clips[0], 44100)
    payloads[1] = audio_file(np.stack([clips[1].samples] * 2, axis=1), RATE, "MP3", None)
    payloads[2] = audio_file(clips[2].samples)
    payloads[3] = payloads[3][: len(payloads[3]) // 2]
    payloads[4] = b""
    path = passt_hdf5(tmp_path / "eval_segments_mp3.hdf", clips, payloads=payloads)
    _, report = import_(pack, Hdf5Packs([path], MP3), tmp_path, codec="mp3")
    why = {found.clip_id: (found.what, found.detail) for found in report.findings if found.what != "missing"}
    assert why[clips[0].id] == ("needs_encoding", "44100 Hz where the store has 32000 Hz")
    assert why[clips[1].id] == ("needs_encoding", "2 channels")
    assert why[clips[2].id] == ("needs_encoding", "FLAC, not MP3")
    assert why[clips[3].id][0] == "unreadable"
    assert why[clips[4].id][0] == "empty"
    assert report.packed == 1
