"""A wrong sample rate, of a store or of one clip, told by the headers of the audio."""

import json
import zlib

import numpy as np
import pytest
import soundfile

from panns.data.audioset import AudioSetSource
from panns.data.codecs import FLAC, encode_flac, wav_rate
from panns.data.forms.folder import AudioFolder
from panns.data.index import load_columns, write_index
from panns.data.manifest import ManifestSource
from panns.data.packing import index, pack
from panns.data.quarantine import read_quarantine
from panns.data.store import ClipStore
from panns.data.store_files import StoreError, read_meta
from verifying import check, damaged


@pytest.mark.parametrize("codec", ["flac", "pcm"])
def test_a_wrong_rate_in_meta_json_is_no_damage_of_the_clips(codec, lists, tmp_path):
    audio = tmp_path / "audio"
    audio.mkdir()
    for number in range(12):
        soundfile.write(audio / f"Y-_eval{number:05d}.wav", np.arange(2000, dtype=np.int16), 8000)
    source = AudioSetSource(lists[1:], AudioFolder(audio))
    store = tmp_path / "store"
    pack(source, store, sample_rate=8000, clip_seconds=0.25, codec=codec, jobs=1, show_progress=False)
    assert check(store, everything=True).is_whole
    meta = (store / "meta.json").read_text()
    changed = json.loads(meta) | {"sample_rate": 16000}
    del changed["checksum"]  # as older stores are
    (store / "meta.json").write_text(json.dumps(changed))
    says = r"meta\.json says 16000 Hz, and the headers of its audio 8000 Hz: put the right sample_rate there"
    with pytest.raises(StoreError, match=says):
        check(store)
    with pytest.raises(StoreError, match=says):
        ClipStore.open(store)
    assert read_quarantine(store) == {}
    (store / "meta.json").write_text(meta)
    assert check(store, everything=True).is_whole


def test_quiet_audio_before_a_clip_is_no_header(tmp_path):
    """libmpg123 takes these samples before each cut for an MP3 of 44.1 kHz."""
    noise = np.rint(1.5 * np.random.default_rng(21).standard_normal(800))
    quiet = np.tile(noise.astype(np.int16), 20)
    soundfile.write(tmp_path / "night.wav", quiet, 8000)
    rows = [f"night.wav,a,{start / 10},{start / 10 + 0.1}" for start in range(3, 20)]
    (tmp_path / "own.csv").write_text("\n".join(["path,labels,start,end", *rows]))
    options = {"sample_rate": 8000, "clip_seconds": 0.1, "jobs": 1, "show_progress": False}
    index(ManifestSource(tmp_path / "own.csv"), tmp_path / "store", **options)
    assert len(ClipStore.open(tmp_path / "store")) == 17


def chunk(name, content):
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


@pytest.mark.parametrize("before", [True, False])
def test_the_rate_is_read_from_the_chunk_that_has_it(before):
    rate = (8000).to_bytes(4, "little")
    form = chunk(b"fmt ", b"\1\0\1\0" + rate + bytes(8))
    text = chunk(b"bext", b"a guitar RIFF in WAVE, fmt by somebody.")
    header = b"RIFF\0\0\0\0WAVE" + (text + form if before else form + text)
    assert wav_rate(header) == 8000
    assert wav_rate(header[:20]) is None
    assert wav_rate(b"fmt " + header) is None


def test_one_clip_of_another_rate_is_damaged(store):
    """Its bytes are those that were indexed, so that only the header tells."""
    opened = ClipStore.open(store)
    other = encode_flac(np.arange(2000, dtype=np.int16), 4000)
    (store / "other.flac").write_bytes(other)
    row, columns = 13, {name: np.array(column) for name, column in load_columns(store).items()}
    columns["path"] = np.append(columns["path"], np.array([b"other.flac"], dtype=columns["path"].dtype))
    columns["file_bytes"] = np.append(columns["file_bytes"], len(other))
    for name, value in (
        ("file", 5),
        ("offset", 0),
        ("nbytes", len(other)),
        ("frames", 2000),
        ("codec", FLAC),
        ("crc32", zlib.crc32(other)),
    ):
        columns[name][row] = value
    write_index(store, columns, read_meta(store))
    result = check(store, everything=True)
    assert damaged(result) == {opened.id[row].decode(): "damaged"}
    assert result.damaged[row][1] == "4000 Hz in its header where meta.json of the store says 8000 Hz"
