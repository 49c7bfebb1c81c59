"""torch.compile of every preset's body into whole graphs."""

import shutil

import pytest
import torch
from narrow_models import narrow

from panns.models import AudioTagger
from panns.models.compiling import compile_body
from panns.zoo import list_models

OF_EACH_KIND = (
    *("cnn6", "cnn14_decision_level_att", "resnet22", "mobilenet_v1"),
    *("leenet11", "dainet19", "res1dnet31", "wavegram_logmel"),
)
PRESETS = [pytest.param(name, marks=() if name in OF_EACH_KIND else pytest.mark.slow) for name in list_models()]


def check(name: str, backend: str, **overrides) -> None:
    """Trains for a step and evaluates, compiled and not."""
    model = narrow(name, **overrides)
    without_dropout(model)
    waveform = 0.1 * torch.randn(2, model.min_samples + 1500)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    want, gradients = step(model, waveform)
    model.load_state_dict(state)
    compile_body(model, backend=backend)
    assert model.state_dict().keys() == state.keys()
    loss, compiled = step(model, waveform)
    torch.testing.assert_close(loss, want, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(compiled, gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2 * float(theirs.abs().max()) + 1e-6)
    model.eval()
    other = narrow(name, **overrides).eval()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model(waveform).clip_logits, other(waveform).clip_logits, rtol=1e-4, atol=1e-5)


def without_dropout(model: AudioTagger) -> None:
    """Its random numbers are others in a compiled graph."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0


def step(model: AudioTagger, waveform: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss and gradients of one training step."""
    model.train().zero_grad()
    loss = model(waveform).clip_logits.square().mean()
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("name", PRESETS)
def test_every_body_is_one_graph_with_the_same_numbers(name):
    check(name, "eager")


@pytest.mark.slow  # the compiler takes its time
def test_compiled_code_has_the_same_numbers():
    if shutil.which("g++") is None:
        pytest.skip("no g++, with which torch.compile makes code for a CPU")
    check("cnn6", "inductor", **{"backbone.depth": 1})


def test_many_shapes_and_modes_do_not_reach_torchs_limit():
    model = narrow("wavegram_cnn14", **{"backbone.depth": 2})
    compile_body(model, backend="eager")
    for training in (True, False):
        model.train(training)
        for batch in (1, 2, 3):
            model(torch.randn(batch, model.min_samples + 3000))
            with torch.no_grad():
                model(torch.randn(batch, model.min_samples + 3000))
