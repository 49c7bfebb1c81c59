"""Every preset as a narrow network that is quick to compute."""

import torch

from panns.models import AudioTagger
from panns.zoo import create_model

# The same networks, narrower: one or two overrides each, by the class of the backbone. Others stay as they are.
NARROW = {
    "cnn6": {"backbone.base_channels": 8},
    "cnn10": {"backbone.base_channels": 8},
    "cnn14": {"backbone.base_channels": 8},
    "wavegram": {"backbone.base_channels": 8},
    "resnet": {"backbone.base_channels": 8},
    "mobilenet": {"backbone.width": 0.25},
    "leenet": {"backbone.channels": [8, 8, 8, 8, 8, 8, 8, 8, 16]},
    "dainet": {"backbone.channels": [8, 8, 16, 16]},
    "res1dnet": {"backbone.channels": [8, 8, 8, 8, 8, 8, 16]},
}


def narrow(name: str, **overrides) -> AudioTagger:
    """The preset with few channels and 10 classes, its batch norms made to do something."""
    torch.manual_seed(0)
    small = next((changes for start, changes in NARROW.items() if name.startswith(start)), {})
    model = create_model(name, **{"num_classes": 10, **small, **overrides})
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
    return model
