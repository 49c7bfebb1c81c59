"""The named models by name, from Python: built from the same presets as `python train.py model=NAME`."""

import logging
from pathlib import Path
from typing import Any

from panns.models import AudioTagger
from panns.names import unknown
from panns.weights.cache import locate
from panns.weights.loading import load_weights
from panns.weights.reading import read_weights

PARTS = ("frontend", "backbone", "head")

logger = logging.getLogger(__name__)


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
        raise ValueError(unknown("model", name, there))


def create_model(name: str, checkpoint: str | Path | None = None, **overrides: Any) -> AudioTagger:
    """Builds a model by name, freshly initialised or with weights.

    Args:
        name: One of `list_models()`.
        checkpoint: "released" for what the authors of PANNs released for this model, downloaded if need be; or a file:
            one of theirs, one fine-tuned from theirs, a checkpoint of `train.py`. The model has as many classes as the
            file unless `num_classes` says otherwise, which leaves the classifier as initialised, with a warning.
        **overrides: Keys of the preset, dotted where nested, as after `model.` on the command line:
            `create_model("cnn14", num_classes=50, **{"backbone.depth": 4})`. The parts are choices: `head="frame"`.

    Raises:
        ValueError: If the name or a key is unknown, or the checkpoint is of another model.
    """
    check_name(name)
    if checkpoint is None:
        return _build(name, overrides)
    weights = read_weights(locate(checkpoint, name))
    model = _build(name, {"num_classes": weights.num_classes} | overrides)
    loaded = load_weights(model, weights)
    if loaded.fresh:
        logger.warning("%s", loaded)
    return model


def _build(name: str, overrides: dict[str, Any]) -> AudioTagger:
    from hydra.errors import HydraException, InstantiationException
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    overrides = dict(overrides)
    parts = {part: overrides.pop(part) for part in PARTS if part in overrides}
    try:
        config = _compose(name, parts)
        for key, value in overrides.items():
            OmegaConf.update(config, key, value, force_add=False)
        return instantiate(config)
    except InstantiationException as error:
        if isinstance(error.__cause__, ValueError):
            raise error.__cause__ from None
        raise
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(
            f"create_model({name!r}) cannot take {parts | overrides}: {str(error).splitlines()[0]}"
        ) from error


def _compose(name: str, parts: dict[str, str]) -> Any:
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    choices = [f"model/{part}={choice}" for part, choice in parts.items()]
    running = GlobalHydra.instance().hydra  # set inside a program that Hydra started; there is room for one
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            return compose(overrides=[f"+model={name}", *choices]).model
    finally:
        GlobalHydra.instance().hydra = running
