"""task.freeze: the network is kept as it is, and only the layers behind its embedding are trained."""

from panns.models import AudioTagger

EMBEDDING = "embedding"


def freeze_embedding(model: AudioTagger, what: str) -> None:
    """Leaves only the layers behind the embedding to be trained.

    Raises:
        ValueError: something else is to be frozen.
    """
    if what != EMBEDDING:
        raise ValueError(f"task.freeze={what!r}: choose {EMBEDDING!r}, or null to train all of the network.")
    model.requires_grad_(False)
    for layer in model.head.after_embedding:
        layer.requires_grad_(True)


def train_behind_embedding(model: AudioTagger, mode: bool) -> None:
    """Puts the layers behind the embedding into training mode or not; what is frozen stays as in evaluation."""
    model.eval()
    for layer in model.head.after_embedding:
        layer.train(mode)


def check_has_weights(freeze: str | None, has_weights: bool) -> None:
    """Before training, that what is frozen has been trained.

    Raises:
        ValueError: neither `checkpoint` nor `resume` has brought weights.
    """
    if freeze and not has_weights:
        raise ValueError(
            f"task.freeze={freeze} would keep random weights: name those to start from, checkpoint=released or "
            "checkpoint=FILE."
        )
