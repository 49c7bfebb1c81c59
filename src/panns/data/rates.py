"""Whether the sample rate that a store names is that of its audio, by what the headers of the files say."""

from typing import TYPE_CHECKING

import numpy as np

from panns.data.codecs import S16LE, WAV_HEADER_BYTES, header_rate, wav_rate
from panns.data.store_files import StoreError

if TYPE_CHECKING:
    from panns.data.store import ClipStore

CLIPS_TRIED = 8  # whose headers are compared with the rate of the store
WAV_HEADER_READ = 4096  # bytes of a WAV file: as much as headers with tags have before the format


def check_rate(store: "ClipStore", rows: np.ndarray) -> None:
    """Refuse a store whose rate is none of those in the headers of its audio, looking at a few of the clips `rows`.

    Raises:
        StoreError: meta.json is wrong; one clip of another rate shows when it is read.
    """
    rates = {_header_rate(store, int(row)) for row in rows[:: max(1, len(rows) // CLIPS_TRIED)]} - {None}
    if rates and store.sample_rate not in rates:
        raise StoreError(
            f"{store.place}/meta.json says {store.sample_rate} Hz, and the headers of its audio "
            f"{', '.join(map(str, rates))} Hz: put the right sample_rate there, or make the store anew"
        )


def _header_rate(store: "ClipStore", row: int) -> int | None:
    """Sample rate in the header of a clip's audio file; None where there is none, or it cannot be read."""
    offset = int(store.offset[row])
    try:
        if store.codec[row] != S16LE:
            return header_rate(store.read_file(row, offset, int(store.nbytes[row])))
        rate = wav_rate(store.read_file(row, 0, WAV_HEADER_READ))  # of a file of its own
        if rate is None and offset >= WAV_HEADER_BYTES:  # of one in a shard: before the samples
            rate = wav_rate(store.read_file(row, offset - WAV_HEADER_BYTES, WAV_HEADER_BYTES))
        return rate
    except StoreError:
        return None
