"""Ctrl-C while train.py starts, which takes seconds of imports: one line instead of a traceback."""

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
LINE = "train.py: interrupted"


def starting() -> None:
    """From here on, Ctrl-C ends the process with one line, unless it is ignored, as under nohup."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def started() -> None:
    """From here on, Ctrl-C raises KeyboardInterrupt, as it does in other programs."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(signum: int, frame: FrameType | None) -> None:
    print(LINE, file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)  # an exception could come to light anywhere in the modules that are being imported
