"""Tar shards: every way in which they are written, against the standard library."""

import gzip
import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soxr

from holdings import (
    LISTS,
    MIDS,
    RATE,
    audio_file,
    check_clips,
    confit_members,
    examples,
    findings,
    import_,
    laion_members,
    mp3,
    tar,
)
from packs import kinds
from panns.data.codecs import CODECS, SOUNDFILE, DecodeError, decode
from panns.data.forms.archives import Archives
from panns.data.forms.tar import tar_members
from panns.data.importers import ReadError
from panns.data.packing import PackError, index, pack

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
LONG = "a/" * 60 + "b" * 110 + ".wav"  # too long for any header
NAMES = {
    "ustar": ["x.wav", "d/" * 60 + "y.wav"],
    "gnu": ["x.wav", LONG, "z.wav", "ü.wav"],
    "pax": ["x.wav", LONG, "z.wav", "ü.wav"],
}


@pytest.mark.parametrize("form", FORMATS)
def test_walk_finds_what_the_standard_library_finds(form, tmp_path):
    path = tar(tmp_path / "a.tar", [(name, name.encode() * 50) for name in NAMES[form]], FORMATS[form])
    with tarfile.open(path, "a", format=FORMATS[form]) as archive:
        folder, link = tarfile.TarInfo("folder"), tarfile.TarInfo("link.wav")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "x.wav"
        archive.addfile(folder)
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("empty.wav"))
    with tarfile.open(path) as archive:
        truth = [(m.name, m.offset_data, m.size) for m in archive.getmembers() if m.isreg()]
    members = list(tar_members(path))
    assert [member[:3] for member in members if not member.link] == truth
    assert [(member.name, member.link) for member in members if member.link] == [("link.wav", "x.wav")]
    assert len(truth) == len(NAMES[form]) + 1


def test_sizes_beyond_8_gib(tmp_path):
    info = tarfile.TarInfo("large.wav")
    info.size = 9 * 2**30
    with (tmp_path / "a.tar").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(512 + info.size + 1024)  # sparse
    assert [member.nbytes for member in tar_members(tmp_path / "a.tar")] == [info.size]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "0 bytes"),
        (b"no archive", "no tar archive"),
        (b"no archive" * 100, "no tar archive"),
        (gzip.compress(b"x" * 10**5) + bytes(10**4), "gunzip"),
        (b"PK" * 512, "no tar archive"),
    ],
)
def test_what_is_no_tar_is_said(content, says, tmp_path):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(ReadError, match=says):
        list(tar_members(tmp_path / "a.tar"))


def test_damaged_headers_are_noticed(tmp_path):
    path = tar(tmp_path / "a.tar", [("a.wav", b"a" * 512), ("b.wav", b"b" * 512)])
    whole = path.read_bytes()
    members = tar_members(path)
    for change in (1024, 1024 + 124, 1024 + 150):  # name, size, checksum of the second header
        path.write_bytes(whole[:change] + b"?" + whole[change + 1 :])
        members = tar_members(path)
        assert next(members).name == "a.wav"
        with pytest.raises(ReadError, match="no tar header at byte 1,024"):
            next(members)
    path.write_bytes(whole[:2048])
    with pytest.raises(ReadError, match="without an end mark after 2,048 bytes"):
        list(tar_members(path))
    path.write_bytes(whole[:1600])
    with pytest.raises(ReadError, match=r"cut off: b\.wav should end at byte 2,048, the file at 1,600"):
        list(tar_members(path))


def shards(root: Path, members_of, suffix: str = ".tar") -> Archives:
    """One shard a split, in folders as confit's."""
    for split in LISTS:
        tar(root / split / f"shard-00000{suffix}", members_of(examples(split)))
    return Archives([root])


@pytest.mark.parametrize("members_of", [lambda clips: confit_members(clips, RATE), laion_members])
def test_shards_at_the_rate_are_read_where_they_lie(members_of, tmp_path):
    store, report = import_(index, shards(tmp_path / "wds", members_of), tmp_path)
    check_clips(store, examples())
    assert kinds(report) == {"packed": 10, "missing": 1}
    assert not (tmp_path / "store" / "shards").exists()
    for row in range(len(store)):
        with tarfile.open(store.file_path(store.file[row])) as archive:
            inside = [m for m in archive.getmembers() if m.offset_data <= store.offset[row] < m.offset_data + m.size]
            assert store.nbytes[row] <= inside[0].size
    packed, report = import_(pack, Archives([tmp_path / "wds"]), tmp_path / "packed")
    check_clips(packed, examples())
    assert kinds(report) == {"packed": 10, "missing": 1}


def test_our_own_shards_can_be_imported_again(tmp_path):
    import_(pack, shards(tmp_path / "wds", laion_members), tmp_path, shard_mb=0.2)
    store, report = import_(index, Archives([tmp_path / "store" / "shards"]), tmp_path / "again")
    check_clips(store, examples())
    assert kinds(report) == {"packed": 10, "missing": 1}


def test_a_set_of_a_lower_rate_is_upsampled_by_intent_only(tmp_path):
    at_16k = [clip._replace(samples=soxr.resample(clip.samples, RATE, 16000)) for clip in examples()]
    holding = Archives([tar(tmp_path / "shard-00000.tar", confit_members(at_16k, 16000))])
    with pytest.raises(
        PackError, match=r"shard-00000\.tar, -_abc_12345\.wav: 16000 Hz.*--sample-rate 16000.*--allow-up"
    ):
        import_(pack, holding, tmp_path)
    assert not (tmp_path / "store").exists()
    store, report = import_(pack, holding, tmp_path, allow_upsampling=True)
    assert (store.sample_rate, report.counts["packed"], report.counts["upsampled"]) == (RATE, 10, 10)
    for command in (pack, index):
        store, report = import_(command, holding, tmp_path / command.__name__, sample_rate=16000)
        assert kinds(report) == {"packed": 10, "missing": 1}
        assert np.array_equal(store.read(0), at_16k[0].samples)
    with pytest.raises(PackError, match="10 needs_pack"):
        import_(index, holding, tmp_path / "as it is")


def test_some_clips_of_a_lower_rate_are_packed_and_named(tmp_path):
    clips = examples()
    members = [
        (f"{clip.id}.wav", audio_file(clip.samples, 22050 if n % 5 == 1 else RATE, "WAV"))
        for n, clip in enumerate(clips)
    ]
    _, report = import_(pack, Archives([tar(tmp_path / "a.tar", members)]), tmp_path)
    assert [clip_id for clip_id, _ in findings(report, "upsampled")] == sorted(clip.id for clip in clips[1::5])


def test_truncated_shard_keeps_what_is_whole(tmp_path):
    holding = shards(tmp_path / "wds", laion_members)
    path = tmp_path / "wds" / "eval" / "shard-00000.tar"
    last = list(tar_members(path))[4]
    os.truncate(path, last.start + 1000)
    store, report = import_(index, holding, tmp_path)
    check_clips(store, [*examples("eval")[:2], *examples("balanced_train", "unbalanced_train")])
    assert findings(report, "damaged_file") == [("", "shard-00000.tar")]
    (detail,) = [found.detail for found in report.findings if found.what == "damaged_file"]
    ends = f"should end at byte {last.start + last.nbytes:,}, the file at {last.start + 1000:,}"
    assert detail == f"cut off: 2.flac {ends}; 4 members before that are used"
    assert {clip_id for clip_id, _ in findings(report, "missing")} == {LISTS["eval"][2], "nowhere_123"}


def test_faults_within_a_shard(tmp_path):
    clips = examples()
    members = [(f"{clip.id}.flac", audio_file(clip.samples)) for clip in clips]
    stereo = np.stack([clips[1].samples] * 2, axis=1)
    members[0] = (members[0][0], members[0][1][:-3000])
    members[1] = (members[1][0], audio_file(stereo))
    members[2] = (members[2][0], audio_file(clips[2].samples, 44100))
    members[3] = (members[3][0], b"")
    members[4] = (
        members[4][0].replace("flac", "wav"),
        audio_file(clips[4].samples.astype(np.int32) * 2**16, RATE, "WAV", "PCM_24"),
    )
    members[5] = (members[5][0].replace("flac", "mp3"), mp3(clips[5]))
    members[6] = (members[6][0].replace("flac", "wav"), audio_file(clips[6].samples, RATE, "WAV")[:-1000])
    members += [
        (f"{clips[7].id}_30.000.flac", audio_file(clips[0].samples)),
        ("stranger_12.wav", b"x"),
        ("a.txt", b"x"),
    ]
    store, report = import_(index, Archives([tar(tmp_path / "a.tar", members)]), tmp_path)
    what = {found.clip_id: (found.what, found.detail) for found in report.findings}
    assert what[clips[0].id][0] == "unreadable"
    assert what[clips[1].id] == ("needs_pack", "2 channels")
    assert what[clips[2].id] == ("needs_pack", "44100 Hz where the store has 32000 Hz")
    assert what[clips[3].id] == ("empty", "0 bytes")
    assert what[clips[6].id][0] == "unreadable"
    assert "truncated" in what[clips[6].id][1]
    assert what[clips[7].id] == ("duplicate", f"first seen as {tmp_path}/a.tar, {clips[7].id}.flac")
    assert what["stranger_12"][0] == "unlisted"
    codec = {store.id[row].decode(): CODECS[store.codec[row]] for row in range(len(store))}
    assert codec[clips[4].id] == "soundfile"
    assert codec[clips[5].id] == "mp3"
    assert len(store) == 5


def test_labels_in_the_json_are_compared_where_they_are_of_the_class_list(tmp_path):
    clips = examples("eval")
    texts = [{"label": ["Speech"]}, {"tags": ["wind turbine", "hum"]}, {"label": list(clips[2].mids)}]
    members = [(f"{clip.id}.flac", audio_file(clip.samples)) for clip in clips]
    members += [(f"{clip.id}.json", json.dumps(text).encode()) for clip, text in zip(clips, texts, strict=True)]
    members.append(("broken.json", b"{"))
    _, report = import_(index, Archives([tar(tmp_path / "a.tar", members)]), tmp_path)
    assert findings(report, "label_differs") == [(clips[0].id, f"a.tar, {clips[0].id}.flac")]
    assert MIDS[0] == "/m/09x0r"


def test_broken_json_is_reported_and_the_clip_found_by_its_name(tmp_path):
    (clip, *_) = examples("eval")
    members = [(f"{clip.id}.flac", audio_file(clip.samples)), (f"{clip.id}.json", b'{"id": ')]
    store, report = import_(index, Archives([tar(tmp_path / "a.tar", members)]), tmp_path)
    check_clips(store, [clip])
    assert findings(report, "damaged_file") == [(clip.id, f"a.tar, {clip.id}.json")]


def test_compressed_shards_in_a_folder_are_not_passed_over(tmp_path):
    shards(tmp_path / "wds", laion_members)
    path = tmp_path / "wds" / "eval" / "shard-00000.tar"
    path.with_suffix(".tar.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    _, report = import_(index, Archives([tmp_path / "wds"]), tmp_path)
    assert findings(report, "damaged_file") == [("", "shard-00000.tar.gz")]
    assert report.counts["missing"] == 4


def test_what_is_said_of_bytes_that_are_no_audio_is_always_the_same(tmp_path):
    good, bad = examples("eval")[:2]
    path = tar(
        tmp_path / "a.tar", [(f"{good.id}.flac", audio_file(good.samples)), (f"{bad.id}.flac", b"no audio" * 99)]
    )
    _, report = import_(pack, Archives([path]), tmp_path)
    (detail,) = (found.detail for found in report.findings if found.what == "unreadable")
    assert detail == "Format not recognised."
    with pytest.raises(DecodeError, match=r"^not readable by soundfile \(Format not recognised\.\)$"):
        decode(b"no audio" * 99, SOUNDFILE)


def test_joined_tars_are_read_to_the_end(tmp_path):
    clips = examples()
    parts = [
        tar(tmp_path / name, [(f"{clip.id}.wav", audio_file(clip.samples, RATE, "WAV")) for clip in some])
        for name, some in (("a.tar", clips[:4]), ("b.tar", clips[4:]))
    ]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "joined.tar").write_bytes(b"".join(path.read_bytes() for path in parts))
    store, report = import_(index, Archives([tmp_path / "in"]), tmp_path)
    check_clips(store, clips)
    assert kinds(report) == {"packed": 10, "missing": 1}
    with (tmp_path / "in" / "joined.tar").open("ab") as file:
        file.write(b"what is this" * 100)
    _, report = import_(index, Archives([tmp_path / "in"]), tmp_path / "more")
    assert kinds(report) == {"packed": 10, "missing": 1, "damaged_file": 1}


@pytest.mark.parametrize("form", FORMATS)
def test_links_within_a_tar_lead_to_their_files(form, tmp_path):
    (one, two, three), rest = examples("eval"), examples("balanced_train")
    deep = "all/" + "d/" * (20 if form == "ustar" else 60) + "x.wav"  # longer than a header has room for
    path = tar(tmp_path / "a.tar", [(deep, audio_file(one.samples, RATE, "WAV"))], FORMATS[form])
    links = [
        (tarfile.SYMTYPE, f"named/{one.id}.wav", f"../{deep}"),
        (tarfile.LNKTYPE, f"named/{two.id}.wav", deep),
        (tarfile.SYMTYPE, f"again/{three.id}.wav", f"../named/{one.id}.wav"),
        (tarfile.SYMTYPE, f"{rest[0].id}.wav", "/somewhere/else.wav"),
        (tarfile.SYMTYPE, "notes.txt", "/somewhere/else.txt"),
    ]
    with tarfile.open(path, "a", format=FORMATS[form]) as archive:
        for kind, name, target in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    store, report = import_(index, Archives([path]), tmp_path)
    assert sorted(name.decode() for name in store.id) == sorted(clip.id for clip in (one, two, three))
    for row in range(3):
        assert np.array_equal(store.read(row), one.samples)
    assert findings(report, "unreadable") == [(rest[0].id, "a.tar")]
