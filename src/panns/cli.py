"""`panns <command>`: everything around a run that is not training itself.

Each command is a module with `add_arguments(parser)` and `run(args) -> int`, imported only when it is called.
"""

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

COMMANDS = {  # name: (module, one line of help)
    "demo": ("panns.commands.demo", "make the demo set: no download, about a minute"),
    "pack": ("panns.commands.pack", "write clips into a store of tar shards, resampled to one rate"),
    "index": ("panns.commands.index", "make a store that reads mono files at the right rate where they lie"),
    "merge": ("panns.commands.merge", "make one store of its parts, or of several stores"),
    "submit": ("panns.commands.submit", "import in parts on a SLURM cluster"),
    "verify": ("panns.commands.verify", "check that a store is whole; quarantine or drop what is damaged"),
    "info": ("panns.commands.info", "say what a store holds"),
    "models": ("panns.commands.models", "list all models: published mAP, size, and speed on this machine"),
    "download": ("panns.commands.download", "fetch weights that the authors of PANNs released"),
    "tag": ("panns.commands.tag", "say what is heard in audio files, by a model trained here or a released one"),
    "report": ("panns.commands.report", "gather the runs of a study: tables, pictures, the paper beside them"),
}

GOES_ON = {"pack", "index", "merge", "submit", "verify", "download"}  # these keep what they have done
UNREAD = 128 + signal.SIGPIPE  # the exit code of a program that nobody reads on


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        Exit code: 0, 2 for a mistake of the user (one line on stderr), 130 when interrupted, 141 if nobody reads on.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = arguments[0] if arguments and arguments[0] in COMMANDS else None
    for stream in (sys.stdout, sys.stderr):  # names of files may hold what the terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        try:
            return run(parse(arguments))
        finally:
            sys.stdout.flush()  # a reader that is gone shows here at the latest
    except BrokenPipeError:  # the reader has enough, as `head` does; what is still buffered goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # what rich makes of it
            return UNREAD
        raise
    except KeyboardInterrupt:
        goes_on = "; the same command goes on where it stopped" if chosen in GOES_ON else ""
        print(f"panns {chosen}: interrupted{goes_on}", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:  # what this package raises for mistakes in input, and what the disk says
        if os.environ.get("PANNS_TRACEBACK"):
            raise
        print(f"panns {chosen}: {error}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, previous)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of one command; exits with code 2 where they are wrong."""
    parser = _parser(argv[0] if argv and argv[0] in COMMANDS else None)
    args, rest = parser.parse_known_args(argv)
    if rest and ("overrides" not in args or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:  # words of a list that options stand between
        args.overrides += rest
    return args


def run(args: argparse.Namespace) -> int:
    """Run the command that was parsed -> its exit code; errors are raised."""
    return int(importlib.import_module(COMMANDS[args.command][0]).run(args))


def _parser(chosen: str | None) -> argparse.ArgumentParser:
    """The parser; only the chosen command is imported and adds its arguments."""
    parser = argparse.ArgumentParser(
        prog="panns", description=__doc__.splitlines()[0], epilog="PANNS_TRACEBACK=1 shows where an error comes from."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (module, help_line) in COMMANDS.items():
        command = commands.add_parser(name, help=help_line, description=help_line)
        if name == chosen:
            importlib.import_module(module).add_arguments(command)
    return parser


def _interrupt(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
