"""bf16 and fp16 autocast: finite where numbers are large or all the same, and close to float32."""

import pytest
import torch
import torch.nn.functional as F
from narrow_models import narrow

from panns.models.layers import InputConv1d, InputConv2d
from panns.models.released import convert_released
from panns.zoo import create_model

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
CLOSE = 2e-2  # of a probability


def signals(samples: int) -> dict[str, torch.Tensor]:
    """Clips (L,) that are hard on small number formats, and an easy one."""
    square = torch.sign(torch.sin(torch.arange(samples) * 0.2) + 1e-9)
    noise = torch.randn(samples, generator=torch.Generator().manual_seed(0))
    return {"silence": torch.zeros(samples), "square": square, "clipped": (3 * noise).clamp(-1, 1), "soft": 0.1 * noise}


def losses(model, clips, dtype):
    """Of one training step."""
    model.train().zero_grad()
    torch.manual_seed(0)
    with torch.autocast("cpu", dtype):
        logits = model(clips).clip_logits
    return F.binary_cross_entropy_with_logits(logits, (torch.arange(10) < 2).float().expand_as(logits))


def without_finite_gradient(model):
    return [name for name, p in model.named_parameters() if not p.grad.isfinite().all()]


@pytest.fixture(scope="module")
def model(preset):
    return narrow(preset)


@pytest.mark.parametrize("half", HALVES)
def test_loss_and_gradients_are_finite(model, half):
    clips = signals(model.min_samples + 1000)
    alone = [torch.stack([clips[name], clips[name].roll(777)]) for name in ("square", "clipped")]
    for batch in (torch.stack(list(clips.values())), *alone):
        loss = losses(model, batch, HALVES[half])
        loss.backward()
        assert loss.isfinite()
        assert without_finite_gradient(model) == []


def test_a_batch_of_nothing_but_silence_is_finite_or_skipped(preset):
    """Without any variance each batch norm multiplies gradients by 316, which bfloat16 can hold and float16 cannot."""
    model = narrow(preset)
    silence = torch.zeros(2, model.min_samples + 1000)
    loss = losses(model, silence, torch.bfloat16)
    loss.backward()
    assert loss.isfinite()
    assert without_finite_gradient(model) == []

    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    loss = losses(model, silence, torch.float16)
    scaler.scale(loss).backward()
    scaler.step(torch.optim.Adam(model.parameters()))
    assert loss.isfinite()
    assert all(p.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("half", HALVES)
@torch.no_grad()
def test_probabilities_are_close_to_float32(preset, half):
    model = narrow(preset).eval()
    clips = torch.stack(list(signals(model.min_samples + 1000).values()))
    want = model(clips)
    with torch.autocast("cpu", HALVES[half]):
        output = model(clips)
    assert output.clip_logits.dtype == output.embedding.dtype == torch.float32
    torch.testing.assert_close(output.clip_logits.sigmoid(), want.clip_logits.sigmoid(), rtol=0, atol=CLOSE)
    if want.frame_probs is not None:
        assert output.frame_probs.dtype == torch.float32
        torch.testing.assert_close(output.frame_probs, want.frame_probs, rtol=0, atol=CLOSE)


@pytest.mark.parametrize(("released", "preset"), [("Cnn6", "cnn6"), ("Cnn10", "cnn10")])
@torch.no_grad()
def test_released_weights_in_bf16_are_close_to_the_released_model(released, preset, reference, no_init):
    """Deeper networks with these made-up weights are chaotic: rounding anything anywhere changes what they say."""
    model = create_model(preset).eval()
    model.load_state_dict(convert_released(reference.checkpoint(released)["model"], model)[0])
    with torch.autocast("cpu", torch.bfloat16):
        output = model(reference.waveforms(released))
    want = torch.from_numpy(reference.golden(released)["clipwise_output"])
    torch.testing.assert_close(output.clip_logits.sigmoid(), want, rtol=0, atol=CLOSE)


@pytest.mark.parametrize("half", HALVES.values())
@pytest.mark.parametrize(("kind", "size"), [(InputConv1d, (2, 1, 50)), (InputConv2d, (2, 1, 9, 8))])
@torch.no_grad()
def test_the_first_convolution_is_computed_in_float32_and_handed_on_in_half(kind, size, half):
    conv, x = kind(1, 4, 3), torch.randn(size)
    exact = conv(x)
    with torch.autocast("cpu", half):
        assert torch.equal(conv(x), exact.to(half))
        assert torch.equal(conv(x.to(half)), conv(x.to(half).float()))
    assert exact.dtype == torch.float32


def test_every_model_reads_its_input_with_such_a_convolution(model):
    first = [m for m in model.modules() if isinstance(m, torch.nn.Conv1d | torch.nn.Conv2d) and m.in_channels == 1]
    assert first
    assert all(isinstance(module, InputConv1d | InputConv2d) for module in first)
