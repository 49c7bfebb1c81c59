"""Names that are typed by hand: what a mistyped one may have meant."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, names: Iterable[str], before: str = "") -> str:
    """-> " Did you mean cnn14?" for cn14, with what goes before the name; empty where no name is near."""
    known = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f" Did you mean {before}{known[near[0]]}?" if near else ""


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """-> one line about a name that there is not, with those there are."""
    known = list(names)
    return f"No {what} {name!r}.{did_you_mean(name, known)} Choose from {', '.join(known)}."
