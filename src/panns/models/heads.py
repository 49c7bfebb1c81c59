"""Heads: from the backbone's frames to class logits, for the clip or for every frame; in float32 also under autocast.

Shapes: B clips, D features, E embedding features, T frames of the backbone, K classes.
"""

from math import log
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import _register_namedtuple

from panns.models.layers import init_weights, no_autocast, require_positive, require_probability

Aggregation = Literal["max", "mean", "attention"]
AGGREGATIONS = ("max", "mean", "attention")


class TaggingOutput(NamedTuple):
    """What a tagger says about B clips.

    Attributes:
        clip_logits: (B, K) float32; their sigmoid is the released `clipwise_output`.
        embedding: (B, E), without the released dropout.
        frame_probs: (B, T, K) float32, the released `framewise_output`; None for clip heads.
    """

    clip_logits: Tensor
    embedding: Tensor
    frame_probs: Tensor | None


_register_namedtuple(TaggingOutput, serialized_type_name="panns.models.TaggingOutput")  # else torch.export.save refuses


class ClipHead(nn.Module):
    """(B, D, T) -> TaggingOutput: maximum plus mean over time, the embedding's layer, logits.

    The head of the paper's systems. The released code also drops out the returned embedding, though not what its
    classifier reads; here the embedding is returned as it is.

    Args:
        in_features: D, from the backbone.
        num_classes: K.
        embedding_dim: E; None for D.
        dropout: In front of the embedding's layer.
        classifier_layers: From the embedding to the logits; all but the last are as wide as the embedding, with ReLU.
            More than 1 serve new classes on an embedding that is kept (the paper's Freeze_L3 has 3).

    Raises:
        ValueError: If embedding_dim or classifier_layers is not above 0.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        embedding_dim: int | None = None,
        dropout: float = 0.5,
        classifier_layers: int = 1,
    ) -> None:
        super().__init__()
        require_positive("head", embedding_dim=embedding_dim, classifier_layers=classifier_layers)
        require_probability("head", dropout=dropout)
        self.embedding_dim = embedding_dim or in_features
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_features, self.embedding_dim)
        self.hidden = nn.ModuleList(
            nn.Linear(self.embedding_dim, self.embedding_dim) for _ in range(classifier_layers - 1)
        )
        self.classifier = nn.Linear(self.embedding_dim, num_classes)
        self.apply(init_weights)

    @property
    def after_embedding(self) -> list[nn.Module]:
        """The layers from the embedding to the logits."""
        return [*self.hidden, self.classifier]

    def forward(self, x: Tensor) -> TaggingOutput:
        with no_autocast(x.device.type):
            x = x.float()
            y = embedding = F.relu(self.fc(self.dropout(x.amax(dim=2) + x.mean(dim=2))))
            for layer in self.hidden:
                y = F.relu(layer(y))
            return TaggingOutput(self.classifier(y), embedding, None)


class FrameHead(nn.Module):
    """(B, D, T) -> TaggingOutput: every frame is classified, the clip's logits aggregate the frames'.

    Released classes `Cnn14_DecisionLevelMax`, `-Avg` and `-Att`; not in the paper. The classifiers are 1 x 1
    convolutions, and bn_att of the released attention, which it never uses, is not created. The embedding is the mean
    of the frames' embeddings; the released models return none.

    Args:
        in_features: D, from the backbone.
        num_classes: K.
        aggregation: Of the frames' probabilities: "max", "mean", or "attention" (a learned mean, per class).
        embedding_dim: E; None for D.
        dropout: In front of the hidden layer and behind it.

    Raises:
        ValueError: If the aggregation is unknown, or embedding_dim not above 0.
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        aggregation: Aggregation = "max",
        embedding_dim: int | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        require_positive("head", embedding_dim=embedding_dim)
        require_probability("head", dropout=dropout)
        if aggregation not in AGGREGATIONS:
            raise ValueError(f"head.aggregation={aggregation!r}: choose one of {', '.join(AGGREGATIONS)}.")
        self.aggregation = aggregation
        self.embedding_dim = embedding_dim or in_features
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(in_features, self.embedding_dim)
        self.classifier = nn.Conv1d(self.embedding_dim, num_classes, 1)
        self.attention = nn.Conv1d(self.embedding_dim, num_classes, 1) if aggregation == "attention" else None
        self.apply(init_weights)

    @property
    def after_embedding(self) -> list[nn.Module]:
        """The layers from the frames' embeddings to the logits."""
        return [self.classifier] if self.attention is None else [self.classifier, self.attention]

    def forward(self, x: Tensor) -> TaggingOutput:
        with no_autocast(x.device.type):
            return self._forward(x.float())

    def _forward(self, x: Tensor) -> TaggingOutput:
        x = F.max_pool1d(x, 3, stride=1, padding=1) + F.avg_pool1d(x, 3, stride=1, padding=1)
        x = F.relu(self.fc(self.dropout(x).transpose(1, 2))).transpose(1, 2)  # (B, E, T)
        embedding = x.mean(dim=2)
        x = self.dropout(x)
        logits = self.classifier(x)  # (B, K, T)
        if self.aggregation == "max":
            clip_logits = logits.amax(dim=2)
        elif self.attention is None:
            clip_logits = mean_logits(logits, torch.full_like(logits, -log(logits.shape[2])))
        else:
            scores = self.attention(x).clamp(-10, 10)
            clip_logits = mean_logits(logits, scores.log_softmax(dim=2))
        return TaggingOutput(clip_logits, embedding, logits.sigmoid().transpose(1, 2))


def mean_logits(logits: Tensor, log_weights: Tensor) -> Tensor:
    """(B, K, T) logits, (B, K, T) log weights -> (B, K): the logit of the weighted mean of the frames' probabilities.

    The weights sum to one over T. Worked out in log space: exact also where probabilities round to 0 or 1.
    """
    log_yes = torch.logsumexp(log_weights + F.logsigmoid(logits), dim=2)
    log_no = torch.logsumexp(log_weights + F.logsigmoid(-logits), dim=2)
    return log_yes - log_no


def upsample_frames(frame_probs: Tensor, ratio: int, num_frames: int) -> Tensor:
    """(B, T, K) -> (B, num_frames, K): every frame `ratio` times, then the last one again up to num_frames.

    Released `interpolate` and `pad_framewise_output`: 31 segments of a 10-s clip become 992, then 1,001 frames.
    """
    frame = torch.arange(num_frames, device=frame_probs.device) // ratio
    return frame_probs.index_select(1, frame.clamp(max=frame_probs.shape[1] - 1))
