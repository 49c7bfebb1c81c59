"""What every model of the zoo does: shapes, gradients, lengths, state."""

from collections import Counter

import pytest
import torch
from narrow_models import narrow

from panns.models import AudioTagger, ClipHead, Cnn, LogMel
from panns.zoo import create_model


@pytest.fixture(scope="module")
def model(preset) -> AudioTagger:
    return narrow(preset).eval()


def test_min_samples_is_exact_for_windows_of_an_odd_length():
    for rate in (44100, 11025):
        test_min_samples_is_exact(narrow("cnn14", sample_rate=rate).eval())


@torch.no_grad()
def test_min_samples_is_exact(model):
    shortest = model.min_samples
    output = model(torch.randn(1, shortest))
    assert output.clip_logits.shape == (1, 10)
    assert output.clip_logits.isfinite().all()
    short = torch.randn(1, shortest - 1)
    with pytest.raises(ValueError, match=f"at least {shortest} samples"):
        model(short)
    model.min_samples = 0
    try:
        with pytest.raises((RuntimeError, IndexError)):  # the number is no larger than it has to be
            model(short)
    finally:
        model.min_samples = shortest


@torch.no_grad()
def test_short_clips_are_filled_up_on_request(model):
    short = torch.randn(1, model.min_samples // 3 + 1)
    filled = {
        "zeros": torch.cat([short, torch.zeros(1, model.min_samples - short.shape[1])], dim=1),
        "repeat": torch.cat([short, short, short], dim=1)[:, : model.min_samples],
    }
    for model.short_clips, clip in filled.items():
        assert torch.equal(model(short).clip_logits, model(clip).clip_logits)
        with pytest.raises(ValueError, match="A clip without samples"):
            model(torch.zeros(1, 0))
    model.short_clips = "refuse"


@torch.no_grad()
def test_any_length_from_the_shortest_to_a_minute_works(model):
    for samples in (model.min_samples + 1, 2 * model.min_samples + 17, 60 * model.sample_rate):
        output = model(0.1 * torch.randn(1, samples))
        assert output.clip_logits.isfinite().all()
    if output.frame_probs is not None:
        assert output.frame_probs.shape == (1, 6001, 10)
        assert model.frame_seconds == 0.01


@torch.no_grad()
def test_batch_equals_one_by_one(model):
    waveforms = 0.1 * torch.randn(3, model.min_samples + 4321)
    together = model(waveforms)
    alone = [model(waveform[None]) for waveform in waveforms]
    for ours, theirs in zip(together, zip(*alone, strict=True), strict=True):
        if ours is not None:
            torch.testing.assert_close(ours, torch.cat(theirs), rtol=1e-3, atol=1e-4)


@torch.no_grad()
def test_state_round_trips(preset, model):
    other = narrow(preset, sample_rate=model.sample_rate).eval()
    waveform = 0.1 * torch.randn(1, model.min_samples + 100)
    for parameter in other.parameters():
        parameter.normal_()
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(waveform).clip_logits, model(waveform).clip_logits)


def test_every_parameter_gets_a_gradient(preset):
    model = narrow(preset).train()
    output = model(0.1 * torch.randn(4, 4 * model.min_samples))
    output.clip_logits.square().sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert without == []


@torch.no_grad()
def test_frames_of_raw_waveforms_are_the_backbones():
    model = narrow("dainet19", head="frame").eval()
    output = model(torch.randn(1, 32000))
    assert model.frame_seconds == 256 / 32000
    assert output.frame_probs.shape[1] == pytest.approx(32000 / 256, abs=2)


def test_waveform_mixup_comes_before_the_frontend():
    class Mix:
        def waveform(self, x):
            return 0.25 * x[0::2] + 0.75 * x[1::2]

        def mask(self, x):
            return x

        mix = mask

    model = narrow("cnn6").eval()
    a, b = torch.randn(1, 8000), torch.randn(1, 8000)
    mixed = model(torch.cat([a, b]), Mix())
    torch.testing.assert_close(mixed.clip_logits, model(0.25 * a + 0.75 * b).clip_logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("wrong", [torch.zeros(32000), torch.zeros(1, 1, 32000), torch.zeros(1, 32000).short()])
def test_wrong_waveforms_are_refused(wrong):
    with pytest.raises(ValueError, match=r"float waveform \(clips, samples\)"):
        narrow("cnn6")(wrong)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="refuse, zeros, repeat"):
        create_model("cnn6", short_clips="zero")


def test_parts_are_any_factories():
    model = AudioTagger(16000, LogMel, lambda in_channels: Cnn(in_channels, depth=2, base_channels=4), ClipHead, 3)
    assert model(torch.randn(2, 16000)).clip_logits.shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("cnn14", {0.2: 6, 0.5: 1}),
        ("cnn14_no_dropout", {}),
        ("cnn10", {0.2: 4, 0.5: 1}),
        ("cnn14_decision_level_max", {0.2: 6, 0.5: 2}),
        ("resnet22", {0.2: 3, 0.1: 8, 0.5: 1}),
        ("resnet54", {0.2: 3, 0.1: 16, 0.5: 1}),
        ("mobilenet_v1", {0.5: 1}),
        ("mobilenet_v2", {}),
        ("dainet19", {0.5: 1}),
        ("leenet11", {0.5: 1}),
        ("leenet24", {0.1: 8, 0.5: 1}),
        ("res1dnet31", {0.1: 14, 0.5: 1}),
        ("wavegram_cnn14", {0.2: 5, 0.5: 1}),
        ("wavegram_logmel", {0.2: 6, 0.5: 1}),
    ],
)
def test_dropout_is_applied_as_often_as_in_the_released_code(name, rates):
    model, applied = narrow(name).train(), Counter()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.register_forward_hook(lambda module, *_: applied.update([module.p]))
    model(0.1 * torch.randn(2, 3 * model.min_samples))
    assert {rate: count for rate, count in applied.items() if rate > 0} == rates


def test_what_is_no_waveform_is_refused_with_the_remedy():
    model = create_model("cnn6", **{"backbone.depth": 1})
    for wrong, says in (
        (torch.zeros(32000), r"\(32000,\) torch\.float32; .*waveform\[None\]"),
        (torch.zeros(1, 32000, dtype=torch.int16), "divide int16 by 32768"),
        (torch.zeros(0, 32000), r"\(0, 32000\)"),
        (torch.zeros(1, 32000).numpy(), "got ndarray: torch.from_numpy"),
    ):
        with pytest.raises(ValueError, match=says):
            model(wrong)
    for dtype in (torch.float16, torch.float64):
        with pytest.raises(ValueError, match=rf"weights are {dtype}.*torch\.autocast"):
            model.to(dtype)(torch.zeros(1, 32000))
