"""Batch norms folded into convolutions, against the model they were folded in."""

import logging

import pytest
import torch
from narrow_models import narrow
from torch import nn

from panns.models import AudioTagger, ClipHead, Raw, fold_batch_norms

BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d


def trained_for_a_while(model: nn.Module) -> nn.Module:
    """Batch norms whose statistics are not 0 and 1."""
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            nn.init.normal_(module.running_mean, std=0.5)
            nn.init.uniform_(module.running_var, 0.2, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.3)
    return model.eval()


def batch_norms(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, BATCH_NORMS)]


@torch.no_grad()
def test_every_preset_says_the_same_without_its_batch_norms(preset):
    model = trained_for_a_while(narrow(preset))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold_batch_norms(model)
    waveform = 0.1 * torch.randn(2, model.min_samples + 5000)
    ours, want = folded(waveform), model(waveform)
    torch.testing.assert_close(ours.clip_logits.sigmoid(), want.clip_logits.sigmoid(), rtol=0, atol=1e-5)
    torch.testing.assert_close(ours.embedding, want.embedding, rtol=1e-4, atol=1e-4 * want.embedding.abs().max())
    if want.frame_probs is not None:
        torch.testing.assert_close(ours.frame_probs, want.frame_probs, rtol=0, atol=1e-5)
    assert all(name.endswith("bn0") and "frontend" in name for name in batch_norms(folded))
    assert len(batch_norms(folded)) <= 1 < len(batch_norms(model))
    assert not folded.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class Backbone(nn.Module):
    """One convolution and one batch norm; what is done with them is the test's."""

    out_channels, input_dims, time_stride, min_frames, min_bins = 4, 1, 1, 1, 1

    def __init__(self, how):
        super().__init__()
        self.how, self.conv, self.norm = how, nn.Conv1d(1, 4, 3, padding=1), nn.BatchNorm1d(4)

    def forward(self, x):
        return self.how(self, x)


def behind_raw(how) -> AudioTagger:
    return trained_for_a_while(AudioTagger(8000, Raw, lambda in_channels: Backbone(how), ClipHead, num_classes=3))


def half(self, x):
    return self.conv(x[..., : x.shape[-1] // 2])


@pytest.mark.parametrize(
    ("how", "folds"),
    [
        (lambda self, x: self.norm(self.conv(x)), True),
        (lambda self, x: self.norm(y := self.conv(x)) + y, False),  # the convolution's output is read twice
        (lambda self, x: self.norm(self.conv(x)) + self.conv(-x), False),  # the convolution is applied twice
        (lambda self, x: self.norm(self.conv(x)) + self.norm(x.expand(-1, 4, -1)), False),  # the batch norm is
        (lambda self, x: self.norm(self.conv(x).relu()), False),
        (lambda self, x: self.norm(half(self, x)), True),
    ],
)
@torch.no_grad()
def test_folds_only_what_leaves_the_output_as_it_is(how, folds):
    model, waveform = behind_raw(how), torch.randn(2, 100)
    folded = fold_batch_norms(model)
    assert isinstance(folded.backbone.norm, nn.Identity) == folds
    torch.testing.assert_close(folded(waveform).clip_logits, model(waveform).clip_logits)


@torch.no_grad()
def test_a_part_that_cannot_be_traced_is_left_and_named(caplog):
    model = behind_raw(lambda self, x: self.norm(self.conv(x)) if x.sum() < 1e9 else x)
    with caplog.at_level(logging.WARNING):
        folded = fold_batch_norms(model)
    assert "backbone are not folded" in caplog.text
    waveform = torch.randn(2, 100)
    assert torch.equal(folded(waveform).clip_logits, model(waveform).clip_logits)


def test_filters_stay_channels_last():
    folded = fold_batch_norms(narrow("mobilenet_v1"))
    filters = [m.weight for m in folded.modules() if isinstance(m, nn.Conv2d)]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in filters)
