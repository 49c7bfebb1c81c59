"""When a score may be compared with the paper's, and on how many clips it was measured."""

from collections.abc import Sequence

from omegaconf import DictConfig, OmegaConf

from panns.data.facts import SPLIT_SIZES
from panns.published.tables import Entry
from panns.studies.runs import FoundRun

AUDIOSET_CLASSES = 527
TRANSFER_CLASSES = {"XIII": 50, "XIV": 10, "XV": 41, "XVI": 5, "XVII": 10, "XVIII": 8}  # tables of other data sets


def on_audioset(run: FoundRun, cfg: DictConfig) -> bool:
    """Whether a finished run was scored on AudioSet's evaluation set: the split `eval`, all 527 classes in it."""
    return scored_splits(cfg, run.role) == ["eval"] and _scored_classes(run) == AUDIOSET_CLASSES


def comparable(run: FoundRun, cfg: DictConfig, entry: Entry) -> bool:
    """Whether a finished run was scored on the data of a row of the paper."""
    if (num_classes := TRANSFER_CLASSES.get(entry.table)) is not None:
        return _scored_classes(run) == num_classes
    return on_audioset(run, cfg)


def scored_splits(cfg: DictConfig, role: str) -> list[str]:
    """The splits that the score of a role is of; with a holdout the validation splits are those tested."""
    data = OmegaConf.to_container(cfg.data, resolve=False)
    assert isinstance(data, dict)
    if role != "test" and data.get("holdout"):
        return [f"held out of {', '.join(data.get('holdout_splits') or ['the training clips'])}"]
    tested = data.get("test_splits") if role == "test" else None
    return list(tested or data.get("validation_splits") or [])


def clips_scored(runs: Sequence[FoundRun]) -> list[int]:
    """The numbers of clips that the scores of finished runs are of, each once."""
    known = {run.results.get(f"{run.role}/num_clips") for run in runs}
    return sorted(int(number) for number in known if number is not None)


def of_the_evaluation_set(num_clips: int) -> str:
    """What a score on so many clips of AudioSet's evaluation set is worth beside the paper's."""
    size = SPLIT_SIZES["eval"]
    if num_clips == size.official:
        return f"on all {size.official:,} clips of AudioSet's evaluation set (the paper had {size.panns:,})"
    paper = "as many as the paper had" if num_clips == size.panns else f"the paper had {size.panns:,}"
    return f"on {num_clips:,} of the {size.official:,} clips of AudioSet's evaluation set ({paper})"


def _scored_classes(run: FoundRun) -> int:
    return int(run.results.get(f"{run.role}/num_classes_scored", 0))
