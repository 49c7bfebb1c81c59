"""Numbers on the command line; one out of bounds is refused where it stands, with the option's name."""

import math
from argparse import ArgumentTypeError
from collections.abc import Callable


def whole(least: int) -> Callable[[str], int]:
    """-> the `type` of an option that takes whole numbers from `least` on."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(f"{text}: give a whole number of at least {least}")
        return number

    return read


def seconds(text: str) -> float:
    """The `type` of an option that takes a duration."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"{text}: give seconds, more than 0")
    return number
