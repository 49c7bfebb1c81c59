"""What each clip of a store is for: training, choosing among checkpoints (validation), testing, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from panns.data.facts import ID_LISTS, id_list
from panns.data.labels import read_lines
from panns.data.quarantine import read_quarantine
from panns.data.selection import Clips, held_out, is_listed, names_no_clip, subset
from panns.data.store import ClipStore

Rows = npt.NDArray[np.int32]  # 4 bytes: of 2 million clips they are held for the whole run


@dataclass(frozen=True)
class Selection:
    """Which clips of the splits are used; the arguments of `AudioSetDataModule` of the same names."""

    blacklist: str | Sequence[str] | None = None
    fraction: float = 1.0
    fraction_seed: int = 0
    holdout: float | None = None
    holdout_splits: Sequence[str] | None = None
    holdout_min_per_class: int = 0
    holdout_seed: int = 0


@dataclass(frozen=True)
class Roles:
    """Rows of a store by what they are for; `splits` says where the clips of each role come from.

    Attributes:
        test: the same as `validation` where nothing else is tested.
        quarantined: rows in quarantine, of all splits.
        blacklisted: rows of the training splits that the black list names.
        drawn_from: training clips of which `Selection.fraction` was taken.
    """

    train: Rows
    validation: Rows
    test: Rows
    splits: dict[str, str]
    quarantined: npt.NDArray[np.int64]
    blacklisted: Rows
    drawn_from: int

    @property
    def tested_apart(self) -> bool:
        """Whether other clips are tested than those that choose the checkpoint."""
        return not np.array_equal(self.test, self.validation)


def assign(
    store: ClipStore,
    train_splits: Sequence[str] | None,
    validation_splits: Sequence[str],
    test_splits: Sequence[str] | None,
    selection: Selection,
) -> Roles:
    """Give every clip its role.

    Args:
        train_splits: None for all splits that are not evaluated on.
        validation_splits: with clips held out, these validate, and what is named here is tested.
        test_splits: None for the validation splits.

    Raises:
        ValueError: splits or a selection that contradict each other.
    """
    _check_lists(train=train_splits, validation=validation_splits, test=test_splits, holdout=selection.holdout_splits)
    tested = list(test_splits or validation_splits)
    evaluated = {*validation_splits, *tested}
    others = [split for split in store.splits if split not in evaluated]
    trained = list(others if train_splits is None else train_splits)
    _check(trained, validation_splits, tested, selection)
    quarantined = is_listed(store.id, read_quarantine(store.root))
    train, validation, test = (
        rows[~quarantined[rows]].astype(np.int32)
        for rows in map(store.rows, (trained, list(validation_splits), tested))
    )
    splits = {"train": "+".join(trained), "validation": "+".join(validation_splits), "test": "+".join(tested)}
    listed = is_listed(store.id[train], _blacklisted(store, selection.blacklist))
    blacklisted, train = train[listed], train[~listed]
    if selection.holdout is not None:
        source = list(selection.holdout_splits or trained)
        train, validation = _hold_out(store, train, store.rows(source).astype(np.int32), selection)
        splits["validation"] = f"held out of {'+'.join(source)}"
        test = test if tested else validation
    drawn_from = len(train)
    if selection.fraction != 1:
        train = train[subset(_clips(store, train), selection.fraction, selection.fraction_seed)]
    return Roles(train, validation, test, splits, np.flatnonzero(quarantined), blacklisted, drawn_from)


def blacklisted_ids(blacklist: str | Sequence[str] | None) -> list[str]:
    """The ids of a named list, of a file with one id a line (but those that start with `#`), or as they are given."""
    if blacklist is None:
        return []
    if not isinstance(blacklist, str):
        return list(blacklist)
    if blacklist in ID_LISTS:
        return id_list(blacklist)
    if not Path(blacklist).is_file():
        raise ValueError(f"data.blacklist={blacklist}: neither a file nor a list of this name: {', '.join(ID_LISTS)}.")
    return [line.strip() for line in read_lines(blacklist) if line.strip() and not line.startswith("#")]


def _blacklisted(store: ClipStore, blacklist: str | Sequence[str] | None) -> list[str]:
    ids = blacklisted_ids(blacklist)
    if blacklist is None or (isinstance(blacklist, str) and blacklist in ID_LISTS):
        return ids
    unknown = names_no_clip(store.id, ids)
    if unknown and not isinstance(blacklist, str):
        raise ValueError(f"data.blacklist names {len(unknown)} of no clip in the store, such as {unknown[0]!r}.")
    if unknown and len(unknown) == len(ids):  # a list of many stores may well name others too
        raise ValueError(
            f"data.blacklist={blacklist}: none of its {len(ids)} lines is a clip of the store, the first is "
            f"{ids[0]!r}; give one id a line, such as {store.id[0].decode()}, or leave the key out."
        )
    return ids


def _check_lists(**splits: Sequence[str] | None) -> None:
    for role, names in splits.items():
        if isinstance(names, str):
            raise ValueError(f"data.{role}_splits={names}: a list is wanted there, data.{role}_splits=[{names}].")


def _check(trained: Sequence[str], validation: Sequence[str], tested: Sequence[str], selection: Selection) -> None:
    shared = sorted({*validation, *tested} & {*trained})
    if shared:
        raise ValueError(f"The split {', '.join(shared)} would be trained on and evaluated on: name it once.")
    if selection.holdout is None:
        if selection.holdout_min_per_class:
            raise ValueError(
                f"data.holdout_min_per_class={selection.holdout_min_per_class} holds out clips beyond data.holdout, "
                "which is null: give a fraction or a number there, 0 for none but these."
            )
        return
    if validation and {*tested} != {*validation}:
        raise ValueError(
            f"With data.holdout={selection.holdout:g} the clips held out validate: set data.validation_splits=[], "
            f"not {list(validation)}."
        )
    foreign = sorted({*(selection.holdout_splits or ())} - {*trained})
    if foreign:
        raise ValueError(f"data.holdout_splits: {', '.join(foreign)} is not trained on; those are {list(trained)}.")


def _hold_out(store: ClipStore, train: Rows, source: Rows, selection: Selection) -> tuple[Rows, Rows]:
    """Rows that stay for training, and rows taken out of those that are in `source` too."""
    assert selection.holdout is not None
    pool = np.flatnonzero(np.isin(train, source, kind="table"))
    seed, at_least = selection.holdout_seed, selection.holdout_min_per_class
    chosen = pool[held_out(_clips(store, train[pool]), selection.holdout, at_least, seed)]
    return np.delete(train, chosen), train[chosen]


def _clips(store: ClipStore, rows: Rows) -> Clips:
    counts, labels = store.labels_of(rows)
    return Clips(store.id[rows], np.concatenate([[0], np.cumsum(counts)]), labels, store.num_classes)
