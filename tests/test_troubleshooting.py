"""docs/troubleshooting.md quotes what the source says: each message, word for word, but for the values in it."""

import ast
import re
from pathlib import Path

import pytest

from panns.data.report import KINDS

ROOT = Path(__file__).parents[1]
NAMES = "|".join([*KINDS, "packed", "pack", "none", "train", "rank", "last", "s", "'clips'"])
VALUE = re.compile(rf"\W*({NAMES}|[\d.,:\]]*%?|\S*(/|\.py)\S*|(clip|Client)\S*)\W*")  # names, numbers, paths, ids
FOREIGN = (  # what the system and other packages say within our messages
    "No such file or directory",
    "No space left on device",
    "message='Service Unavailable'",
    "Cannot connect to host",
    "DataLoader worker (pid(s) 14671) exited unexpectedly",
    "Connection closed by peer",
)
COMMANDS = ("train.py: ", "panns pack: ", "panns merge: ")


def fixed_words() -> list[str]:
    """What stands between the values in every text of the source, the longest first; docstrings are none."""
    found = set()
    for path in [ROOT / "train.py", *(ROOT / "src").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                pieces = re.split(r"\n|%[sdg]|%\.\df", node.value)
                found |= {piece.strip() for piece in pieces if " " in piece and len(piece.strip()) > 1}
    return sorted(found, key=len, reverse=True)


def quoted() -> list[str]:
    """The lines of all messages in the document, those within a sentence too."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```\n(.*?)^```", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    said = [span for span in spans if len(span.split()) > 3 and not span.startswith("panns ")]
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in [*lines, *said] if line and line != "..."]


def unknown(line: str, words: list[str]) -> list[str]:
    """Words of a quoted line that are neither in the source nor values."""
    for command in COMMANDS:
        line = line.removeprefix(command)
    *cut, end = line.split("...")
    left = [_without_start(part.rstrip(), words) for part in cut] + [end]
    for piece in (*FOREIGN, *words):
        before, after = r"(?<!\w)" * piece[0].isalnum(), r"(?!\w)" * piece[-1].isalnum()
        left = [re.sub(before + re.escape(piece) + after, " ", part) for part in left]
    return [word for part in left for word in part.split() if not VALUE.fullmatch(word)]


def _without_start(part: str, words: list[str]) -> str:
    """Without the longest start of a text of the source with which this part, cut off there, ends."""
    starts = (piece[:length] for piece in words for length in range(min(len(piece), len(part)), 20, -1))
    return part.removesuffix(max((start for start in starts if part.endswith(start)), key=len, default=""))


def test_each_message_quoted_is_one_of_the_source():
    words, lines = fixed_words(), quoted()
    assert len(lines) > 30
    assert {line: left for line in lines if (left := unknown(line, words))} == {}


@pytest.mark.parametrize("changed", ["the same", "crc32 differs", "goes on", "Wait for it"])
def test_a_word_that_the_source_does_not_have_is_found(changed):
    words = fixed_words()
    lines = [line.replace(changed, "some other wording") for line in quoted() if changed in line]
    assert lines
    assert all(unknown(line, words) for line in lines)
