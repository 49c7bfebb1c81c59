"""The audio tagger: a frontend, a backbone and a head.

Shapes: B clips, L samples, C channels, T frames, F frequency bins, D features, K classes.
"""

from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from panns.models.frontends import Augment
from panns.models.heads import TaggingOutput, upsample_frames
from panns.models.layers import require_positive

ShortClips = Literal["refuse", "zeros", "repeat"]
SHORT_CLIPS = ("refuse", "zeros", "repeat")
KINDS = {1: "a waveform (B, 1, L)", 2: "a map of time and frequency (B, C, T, F)"}


class FrontendFactory(Protocol):
    """Makes (B, L) -> (B, C, T, F), or (B, 1, L) if raw.

    Has out_channels, output_dims (2 of a map, 1 if raw), num_bins, hop_length, min_samples().
    """

    def __call__(self, *, sample_rate: int) -> Any: ...


class BackboneFactory(Protocol):
    """Makes (B, C, T, F) or (B, 1, L) -> (B, D, T').

    Has input_dims (2 or 1), out_channels, time_stride, min_frames, min_bins.
    """

    def __call__(self, *, in_channels: int) -> Any: ...


class HeadFactory(Protocol):
    """Makes (B, D, T') -> TaggingOutput with frame_probs (if any) at the backbone's T' frames."""

    def __call__(self, *, in_features: int, num_classes: int) -> Any: ...


class AudioTagger(nn.Module):
    """(B, L) waveforms -> TaggingOutput.

    Args:
        sample_rate: Hz.
        frontend: Factory of the frontend (a class or a partial); see `panns.models.frontends`.
        backbone: Factory of the backbone.
        head: Factory of the head.
        num_classes: K.
        short_clips: What becomes of clips shorter than min_samples: "refuse" them, fill up with "zeros" at the end, or
            "repeat" the clip.

    Attributes:
        classes: Display names in output order; empty until a training run or a checkpoint gives them.
        exclusive: Whether the classes were trained to exclude each other (softmax) or not (sigmoid).
        min_samples: Shortest clip that can be tagged.
        frame_seconds: Duration of one frame of frame_probs: one frontend frame, or, for raw waveforms, one backbone
            frame.

    Raises:
        ValueError: If the frontend gives a waveform and the backbone takes a map, or the reverse; if the frontend gives
            fewer frequency bins than the backbone pools away; short_clips is unknown; sample_rate or num_classes not
            above 0.
    """

    def __init__(
        self,
        sample_rate: int,
        frontend: FrontendFactory,
        backbone: BackboneFactory,
        head: HeadFactory,
        num_classes: int = 527,
        short_clips: ShortClips = "refuse",
    ) -> None:
        super().__init__()
        if short_clips not in SHORT_CLIPS:
            raise ValueError(f"short_clips={short_clips!r}: choose one of {', '.join(SHORT_CLIPS)}.")
        require_positive("model", sample_rate=sample_rate, num_classes=num_classes)
        self.sample_rate = sample_rate
        self.num_classes = num_classes
        self.short_clips = short_clips
        self.classes: list[str] = []  # display names in output order, known of a trained model
        self.exclusive = False
        self.frontend = frontend(sample_rate=sample_rate)
        self.backbone = backbone(in_channels=self.frontend.out_channels)
        self.head = head(in_features=self.backbone.out_channels, num_classes=num_classes)
        if (gives := self.frontend.output_dims) != (takes := self.backbone.input_dims):
            raise ValueError(
                f"Frontend {type(self.frontend).__name__} gives {KINDS[gives]}, backbone "
                f"{type(self.backbone).__name__} takes {KINDS[takes]}: choose another frontend or another backbone."
            )
        if self.frontend.num_bins < self.backbone.min_bins:
            raise ValueError(
                f"The backbone pools {self.backbone.min_bins} frequency bins into one, the frontend gives it "
                f"{self.frontend.num_bins}: raise frontend.n_mels (of which wavegram_logmel gives half; Wavegram: "
                "frontend.num_bins), or lower backbone.depth (ResNet: fewer backbone.layers)."
            )
        self.min_samples: int = self.frontend.min_samples(self.backbone.min_frames)
        # Raw waveforms have one "frame" per sample; their frame_probs stay at the backbone's frames.
        self.upsampling: int = self.backbone.time_stride if self.frontend.hop_length > 1 else 1
        self.frame_seconds: float = self.frontend.hop_length * self.backbone.time_stride / self.upsampling / sample_rate

    def forward(self, waveform: Tensor, augment: Augment | None = None) -> TaggingOutput:
        """(B, L) float in [-1, 1] -> TaggingOutput.

        Args:
            waveform: At the model's sample rate.
            augment: The random choices for a training batch; None for evaluation.

        Raises:
            ValueError: If the waveform is not a (B, L) float tensor, has no clip or is shorter than min_samples, or the
                weights are not float32.
        """
        waveform = self._checked(waveform)
        if augment is not None:
            waveform = augment.waveform(waveform)
        features = self.frontend(waveform, augment)
        output: TaggingOutput = self.head(self.backbone(features))
        if output.frame_probs is None:
            return output
        num_frames = features.shape[2] if self.upsampling > 1 else output.frame_probs.shape[1]
        return output._replace(frame_probs=upsample_frames(output.frame_probs, self.upsampling, num_frames))

    def probabilities(self, waveform: Tensor) -> Tensor:
        """(B, L) -> (B, K) float32: of each class for itself, or, where classes are exclusive, adding up to 1."""
        logits = self(waveform).clip_logits.float()
        return logits.softmax(-1) if self.exclusive else logits.sigmoid()

    def _checked(self, waveform: Tensor) -> Tensor:
        if not isinstance(waveform, Tensor):
            raise ValueError(
                f"Expected a tensor, got {type(waveform).__name__}: torch.from_numpy makes one of an array."
            )
        if waveform.dim() != 2 or not waveform.is_floating_point() or waveform.shape[0] == 0:
            raise ValueError(
                f"Expected a float waveform (clips, samples) in [-1, 1], got {tuple(waveform.shape)} {waveform.dtype}; "
                "average channels to mono, divide int16 by 32768, write one clip as waveform[None]."
            )
        if (dtype := next(self.parameters()).dtype) != torch.float32:
            raise ValueError(
                f"The weights are {dtype}; the spectrogram and the classifier need them in float32: model.float(), and "
                "for speed torch.autocast around the call."
            )
        missing = self.min_samples - waveform.shape[1]
        if missing <= 0:
            return waveform
        if self.short_clips == "refuse":
            raise ValueError(
                f"A clip of {waveform.shape[1]} samples is too short: this model needs at least {self.min_samples} "
                f"samples ({self.min_samples / self.sample_rate:.3f} s). Pad it, or set short_clips to zeros or repeat."
            )
        if not waveform.shape[1]:
            raise ValueError("A clip without samples: there is nothing in it to fill up.")
        if self.short_clips == "zeros":
            return F.pad(waveform, (0, missing))
        return waveform.repeat(1, -(-self.min_samples // waveform.shape[1]))[:, : self.min_samples]
