"""Going on from a checkpoint: whether it fits, and what of the configuration has changed since it was written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from panns.training.run import different, science, told
from panns.training.start import check_same_start, keep_start
from panns.weights.files import CheckpointError, load_checkpoint
from panns.weights.loading import differences

LATER_ROLES = {"labels"}  # of a fingerprint: what runs of earlier versions do not keep
Changes = Mapping[str, tuple[Any, Any]]  # by key: the value there and the value here


def check_fits(path: Path, parameters: Mapping[str, Any], now: Mapping[str, Any]) -> Changes:
    """Refuses a checkpoint of another model, other data or another way of optimizing before anything is loaded.

    Args:
        path: The checkpoint.
        parameters: `state_dict()` of the task that would load it.
        now: Hyper-parameters of that task: its configuration and the fingerprint of its data.

    Returns:
        What of the configuration has changed since, but for callbacks.

    Raises:
        CheckpointError: keys, shapes, data, optimizer or schedule differ; the message says in what.
    """
    try:
        checkpoint = load_checkpoint(path)
    except CheckpointError as error:
        if not path.is_file():
            raise
        raise CheckpointError(
            f"{error} Go on from another one with resume=CHECKPOINT, as best.ckpt beside it, or start anew with "
            "resume=never, which moves this run aside."
        ) from error
    saved = checkpoint.get("state_dict")
    if saved is None:
        raise CheckpointError(f"{path} holds no training state, so no run can go on from it.")
    if found := differences(saved, parameters):
        raise CheckpointError(
            f"{path} is of another model: {found}. "
            "Compose the model it was trained with (.hydra/config.yaml beside it)."
        )
    before = checkpoint.get("hyper_parameters", {})
    data_before = before.get("fingerprint", now["fingerprint"])
    check_same_data(path, data_before, now["fingerprint"])
    check_same_start(path, data_before, now["fingerprint"])
    steps = _changes_of_steps(before, now)
    if fixed := {key: values for key, values in steps.items() if not _is_number_of_optimizer(key, values)}:
        raise CheckpointError(
            f"{path} cannot go on like this: {told(fixed)}. Of these, only numbers of the optimizer, as optimizer.lr, "
            f"can change on the way. checkpoint={path} in place of resume= takes its weights alone and starts anew "
            "with what is given."
        )
    return different(_decisive(before), _decisive(now)) if _has_configuration(before, now) else {}


def take_settings(checkpoint: dict[str, Any], now: Mapping[str, Any]) -> None:
    """Has optimizer and schedule go on with numbers of this run where they are others than the checkpoint's.

    The weights that it once started from stay those of its fingerprint.

    Where nothing has changed, the checkpoint stays as it is, bit by bit. A changed learning rate takes the place of the
    one that the schedule starts from; what the schedule has made of it by now keeps its proportion.

    Args:
        checkpoint: As Lightning hands it to `on_load_checkpoint`, before it restores the optimizer.
        now: Hyper-parameters of the task; the fingerprint in it is changed.
    """
    before = checkpoint.get("hyper_parameters", {})
    if "fingerprint" in now:
        keep_start(before.get("fingerprint", {}), now["fingerprint"])
    changes = _changes_of_steps(before, now)
    for key, (there, here) in changes.items():
        name = key.removeprefix("optimizer.")
        for group in (group for state in checkpoint["optimizer_states"] for group in state["param_groups"]):
            if name != "lr":
                group[name] = here
            elif group["initial_lr"] == there:  # else a schedule with learning rates of its own has set it
                group |= {"lr": _scaled(group["lr"], there, here), "initial_lr": here}
        for schedule in checkpoint["lr_schedulers"] if name == "lr" else ():
            schedule["base_lrs"] = [here if lr == there else lr for lr in schedule["base_lrs"]]


def _scaled(value: float, there: float, here: float) -> float:
    return value * here / there if there else here


def _changes_of_steps(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What has changed of optimizer and schedule."""
    return different(_steps(before), _steps(now)) if _has_configuration(before, now) else {}


def _has_configuration(*hyper_parameters: Mapping[str, Any]) -> bool:
    """Whether there is something to compare: train.py keeps it always, a task made by hand need not."""
    return all("optimizer" in given for given in hyper_parameters)


def _steps(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Which weights are changed and how, with the learning rate as it is scaled by the batch; how long an epoch is."""
    optimizer, task = dict(cfg["optimizer"]), cfg.get("task") or {}
    if meant_for := task.get("lr_batch_size"):
        optimizer["lr"] = optimizer["lr"] * (cfg["data"]["batch_size"] / meant_for)
    return {
        "optimizer": optimizer,
        "scheduler": cfg.get("scheduler"),
        "task": {"freeze": task.get("freeze")},
        "data": {"clips_per_epoch": (cfg.get("data") or {}).get("clips_per_epoch")},
        "augmentation": {"mixup": (cfg.get("augmentation") or {}).get("mixup") is not None},
    }


def _is_number_of_optimizer(key: str, values: tuple[Any, Any]) -> bool:
    there, here = (value if isinstance(value, list) else [value] for value in values)
    plain = all(type(number) in (int, float) for number in [*there, *here])
    return key.startswith("optimizer.") and plain and len(there) == len(here)


def _decisive(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """What decides a result from a checkpoint on; callbacks hold the name of the folder, and so does the trainer."""
    kept = science(cfg)
    trainer = {key: value for key, value in kept["trainer"].items() if key != "run_dir"}
    of_start = ("callbacks", "checkpoint", "resume")
    return {key: value for key, value in kept.items() if key not in of_start} | {"trainer": trainer}


def check_same_data(path: Path, before: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> None:
    """Refuses a run whose data are not those that are there now.

    Args:
        path: What it left: a checkpoint, or its folder.
        before: Fingerprint of its data.
        fingerprint: Of the data that are there.

    Raises:
        CheckpointError: they differ.
    """
    roles = ("train", "validation", *(LATER_ROLES & before.keys()))
    other = [role for role in roles if before.get(role) != fingerprint.get(role)]
    if other:
        raise CheckpointError(
            f"{path} was trained on other data: {[before.get(role) for role in other]} there, "
            f"{[fingerprint.get(role) for role in other]} here ({', '.join(other)}). "
            f"{_quarantined_since(before, fingerprint)}Put the data back, start anew with resume=never, keep "
            "both runs with another name=, or take the weights alone with checkpoint=."
        )


def _quarantined_since(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What `panns verify` between two starts of a run has to do with it."""
    was, is_now = (fingerprint.get("quarantine", {}).get("clips", 0) for fingerprint in (before, now))
    if was == is_now:
        return ""
    return (
        f"Its quarantine had {was} clips and has {is_now}: to end this run, set quarantine.csv of the store aside; "
        "data.max_damaged_clips then replaces what cannot be read. "
    )
