"""torch.export of every preset, for batches of any size."""

import pytest
import torch
from narrow_models import narrow

from panns.zoo import list_models

OF_EACH_KIND = ("cnn6", "cnn14_decision_level_att", "mobilenet_v1", "wavegram_logmel")
PRESETS = [pytest.param(name, marks=() if name in OF_EACH_KIND else pytest.mark.slow) for name in list_models()]


@pytest.mark.parametrize("name", PRESETS)
def test_an_exported_program_takes_other_numbers_of_clips(name, tmp_path):
    model = narrow(name).eval()
    waveform = 0.1 * torch.randn(3, model.min_samples + 1500)
    batch = {"waveform": {0: torch.export.Dim("batch", min=1, max=64)}}
    torch.export.save(torch.export.export(model, (waveform[:2],), dynamic_shapes=batch), tmp_path / "a.pt2")
    program = torch.export.load(tmp_path / "a.pt2").module()
    for clips in (waveform, waveform[:1]):
        with torch.no_grad():
            ours, theirs = program(clips), model(clips)
        for one, other in zip(ours, theirs, strict=True):
            assert (one is None) == (other is None)
            if one is not None:
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
