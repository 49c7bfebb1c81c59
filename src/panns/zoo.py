"""The named models by name, from Python: built from the same presets as `python train.py model=NAME`."""

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np

from panns.models import AudioTagger
from panns.names import unknown
from panns.weights.cache import locate
from panns.weights.loading import load_weights
from panns.weights.reading import read_weights

PARTS = ("frontend", "backbone", "head")

logger = logging.getLogger(__name__)
_composing = threading.Lock()  # Hydra's place for what it composes is one for all threads


def config_dir() -> Path:
    """The folder of the configuration: panns/conf in an installed wheel, conf/ at the root of a source checkout.

    Raises:
        FileNotFoundError: If neither is there.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parents[1] / "conf"):
        if (folder / "model").is_dir():
            return folder
    raise FileNotFoundError(
        f"No model presets in {package / 'conf'} or {package.parents[1] / 'conf'}: reinstall panns."
    )


def list_models() -> list[str]:
    """Names of the presets, sorted: what `create_model` and `model=` take."""
    return sorted(path.stem for path in (config_dir() / "model").glob("*.yaml"))


def check_name(name: str) -> None:
    """Refuses a name that no preset has.

    Raises:
        ValueError: with the names there are.
    """
    if name not in (there := list_models()):
        raise ValueError(unknown("model", str(name), there))


def create_model(name: str, checkpoint: str | Path | None = None, **overrides: Any) -> AudioTagger:
    """Builds a model by name, freshly initialised or with weights.

    Args:
        name: One of `list_models()`.
        checkpoint: "released" for what the authors of PANNs released for this model, downloaded if need be; or a file:
            one of theirs, one fine-tuned from theirs, a checkpoint of `train.py`. The model has as many classes as the
            file unless `num_classes` says otherwise, which leaves the classifier as initialised, with a warning.
        **overrides: Keys of the preset, dotted where nested, as after `model.` on the command line:
            `create_model("cnn14", num_classes=50, **{"backbone.depth": 4})`. The parts are choices: `head="frame"`.

    Returns:
        The model: with weights in evaluation mode, as `panns.load` gives it; without in training mode.

    Raises:
        ValueError: If the name or a key is unknown, a value of another kind than its key takes, or the checkpoint of
            another model.
    """
    check_name(name)
    if checkpoint is None:
        return _build(_configured(name, overrides))
    weights = read_weights(locate(checkpoint, name))
    config = _configured(name, {"num_classes": weights.num_classes} | overrides)
    model = _build(config)
    loaded = load_weights(model, weights, config)
    if loaded.fresh or loaded.changed:
        logger.warning("%s", loaded)
    return model.eval()


def preset_config(name: str) -> dict[Any, Any]:
    """What a preset builds its model from, resolved."""
    return _configured(name, {})


def _build(config: dict[str, Any]) -> AudioTagger:
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    from panns.config_keys import not_taken

    try:
        return instantiate(config)
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        cause = error.__cause__ or error
        raise ValueError(f"A model cannot be built so: {not_taken(cause) or cause}") from error


def _configured(name: str, overrides: dict[str, Any]) -> dict[Any, Any]:
    """-> the preset with overrides, resolved.

    Raises:
        ValueError: A part or a key is unknown, or a value of another kind than its key takes.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from panns.config_keys import unknown_key, wrong_kind

    overrides = {key: _plain(value) for key, value in overrides.items()}
    parts = {part: overrides.pop(part) for part in PARTS if part in overrides}
    for part, choice in parts.items():
        _check_choice(part, choice)
    config = _compose(name, parts)
    for key, value in overrides.items():
        if wrong := unknown_key(config, key) or wrong_kind(config, key, value, lambda group: []):
            raise ValueError(f"create_model({name!r}): {wrong}")
        OmegaConf.update(config, key, value)
    try:
        plain = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"create_model({name!r}): {str(error).splitlines()[0]}") from error
    assert isinstance(plain, dict)
    return plain


def _check_choice(part: str, choice: Any) -> None:
    """Refuses what is no choice of a part.

    Raises:
        ValueError: with the choices there are.
    """
    if isinstance(choice, dict):
        keys = {f"{part}.{key}": value for key, value in choice.items()}
        raise ValueError(f"{part}={choice}: {part} is a choice; keys within it are dotted: **{keys}.")
    there = sorted(path.stem for path in (config_dir() / "model" / part).glob("*.yaml"))
    if choice not in there:
        raise ValueError(unknown(part, str(choice), there))


def _plain(value: Any) -> Any:
    """Tuples and NumPy's numbers as YAML has them."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _compose(name: str, parts: dict[str, str]) -> Any:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from yaml import YAMLError

    choices = [f"model/{part}={choice}" for part, choice in parts.items()]
    with _composing:
        running = GlobalHydra.instance().hydra  # set inside a program that Hydra started; there is room for one
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(str(config_dir()), version_base="1.3"):
                model = compose(overrides=[f"+model={name}", *choices]).model
        except (HydraException, YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"model={name}: {' '.join(str(error).split())}") from error
        finally:
            GlobalHydra.instance().hydra = running
    if lacking := [part for part in PARTS if part not in model]:
        listed = ", ".join(f"{part}: ..." for part in PARTS)
        raise ValueError(f"model={name} has no {lacking[0]}: its file begins with defaults: [{listed}, _self_].")
    return model
