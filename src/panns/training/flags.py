"""What the flags of train.py ask for. Hydra parses them too, but later."""

import argparse
import signal
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser


def is_multirun(arguments: Sequence[str]) -> bool:
    """Whether a flag asks for several runs."""
    return bool(_flags(arguments).multirun)


def given_overrides(arguments: Sequence[str]) -> list[str]:
    """The words that are no flags and no values of flags."""
    flags, rest = _parsed(arguments)
    return [*flags.overrides, *(word for word in rest if not word.startswith("-"))]


def unknown_flags(arguments: Sequence[str]) -> list[str]:
    """The words that look like flags and are none of train.py's."""
    return [word for word in _parsed(arguments)[1] if word.startswith("-")]


def end_where_nobody_reads(arguments: Sequence[str]) -> None:
    """Lets `train.py --help | head` end in silence, as other programs do. A run does not: sockets may break in it."""
    flags = _flags(arguments)
    if flags.help or flags.hydra_help or flags.cfg or flags.info or "--version" in arguments:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _flags(arguments: Sequence[str]) -> argparse.Namespace:
    return _parsed(arguments)[0]


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    known = [word for word in arguments if word != "--version"]  # at which the parser prints and exits
    return get_args_parser().parse_known_args(known)
