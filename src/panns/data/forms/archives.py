"""Tar and zip archives of audio files: WebDataset shards (`<key>.wav` + `<key>.json`), and plain archives.

confit/audioset-16khz-wds, Muno459/AudioSet and LAION's sets are tars, confit/audioset is zips. The key may be the
clip's id or a mere number; the id is then looked for in the JSON.
"""

import json
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from panns.data.audioset import Entry
from panns.data.forms.files import find_files
from panns.data.forms.folder import AUDIO_SUFFIXES
from panns.data.forms.tar import Member, tar_members
from panns.data.importers import ReadError
from panns.data.labels import audioset_classes
from panns.data.places import Span
from panns.data.report import ImportReport

LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip member: signature, lengths of name and extra field
MAX_NAME = 80  # longer texts are descriptions
SUFFIXES = (".tar", ".zip", ".tar.gz", ".tgz")  # the last two only to say that they are to be unpacked
LABEL_KEYS = ("label", "labels", "tag", "tags")


@dataclass(frozen=True)
class Archives:
    """Audio files in tar or zip archives.

    Args:
        given: archives, or folders searched for them.
    """

    given: Sequence[Path]

    @cached_property
    def paths(self) -> list[Path]:
        """The archives."""
        return find_files(self.given, SUFFIXES)

    def entries(self, report: ImportReport) -> Iterator[Entry]:
        """Every audio file in every archive, in order."""
        mids = {name: label.mid for label in audioset_classes() for name in label}
        for path in self.paths:
            spans: list[Span] = []
            links: list[Member] = []
            try:
                if path.suffix.lower() == ".zip":
                    spans.extend(zip_spans(path))
                else:
                    for member in tar_members(path):
                        if member.link:
                            links.append(member)
                        else:
                            spans.append(Span(member.start, member.nbytes, member.name))
            except (ReadError, OSError, zipfile.BadZipFile) as error:
                report.add("damaged_file", "", path, f"{error}; {len(spans)} members before that are used")
            yield from _entries(path, [*spans, *_linked(path, spans, links, report)], mids, report)


def _linked(path: Path, spans: Sequence[Span], links: Sequence[Member], report: ImportReport) -> Iterator[Span]:
    """The files that links in a tar archive lead to, under the names of the links."""
    found = {span.name: span for span in spans}
    for link in links:
        if link.link in found:
            found[link.name] = found[link.link]._replace(name=link.name)
            yield found[link.name]
        elif link.name.lower().endswith(AUDIO_SUFFIXES):
            detail = f"{link.name} is a link to {link.link}, which is not in the archive"
            report.add("unreadable", _stem(link.name), path, detail)


def zip_spans(path: Path) -> Iterator[Span]:
    """The files in a zip archive, in the order in which they lie there."""
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            if info.is_dir():
                continue
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                raise ReadError(f"{info.filename} is encrypted, or compressed by another method than deflate")
            header = os.pread(file.fileno(), LOCAL_HEADER.size, info.header_offset)
            if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\3\4":
                raise ReadError(f"no zip header at byte {info.header_offset:,}")
            _, name, extra = LOCAL_HEADER.unpack(header)
            start = info.header_offset + LOCAL_HEADER.size + name + extra
            deflated = info.compress_type == zipfile.ZIP_DEFLATED
            yield Span(start, info.compress_size, info.filename, deflated, info.CRC)


def _entries(path: Path, spans: Sequence[Span], mids: Mapping[str, str], report: ImportReport) -> Iterator[Entry]:
    texts = {_stem(span.name): span for span in spans if span.name.lower().endswith(".json")}
    for span in spans:
        if not span.name.lower().endswith(AUDIO_SUFFIXES):
            continue
        name = PurePosixPath(span.name)
        text = texts.get(str(name.with_suffix(""))) or texts.get(str(name.parent / name.name.split(".")[0]))
        content = {} if text is None else _read_json(path, text, report)
        names = dict.fromkeys([name.stem, *_strings(content)])
        yield Entry(tuple(names), str(path), span, _labels(content, mids))


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _read_json(path: Path, span: Span, report: ImportReport) -> dict[str, Any]:
    (payload,) = span.read(str(path), [span])
    try:
        if isinstance(payload, ReadError):
            raise payload
        content = json.loads(payload)
    except ValueError as error:  # a ReadError is one
        report.add("damaged_file", _stem(span.name), f"{path}, {span}", f"no JSON: {error}")
        return {}
    return content if isinstance(content, dict) else {}


def _strings(content: Any) -> Iterator[str]:
    """All short texts in a JSON value: one of them may be the id, or a file name with it."""
    if isinstance(content, str):
        if len(content) <= MAX_NAME:
            yield PurePosixPath(content).stem if content.lower().endswith(AUDIO_SUFFIXES) else content
    elif isinstance(content, dict | list):
        for value in content.values() if isinstance(content, dict) else content:
            yield from _strings(value)


def _labels(content: Mapping[str, Any], mids: Mapping[str, str]) -> tuple[str, ...] | None:
    """Mids of the labels by name or mid; None where there are none in the class list."""
    given = next((content[key] for key in LABEL_KEYS if key in content), ())
    given = [given] if isinstance(given, str) else given
    if not isinstance(given, list) or not any(label in mids for label in given if isinstance(label, str)):
        return None
    return tuple(mids.get(str(label), str(label)) for label in given)
