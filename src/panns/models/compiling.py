"""torch.compile for a tagger."""

from typing import Any

import torch

from panns.models.layers import ConvBlock
from panns.models.tagger import AudioTagger
from panns.models.waveform import WaveBlock

# Of one function, for every shape, mode and block of its class; torch's own limit is 8.
RECOMPILATIONS = 64


def compile_body(model: AudioTagger, **options: Any) -> None:
    """Compiles, in place, the backbone, the head and the frontend's blocks of convolutions, each into one graph.

    The FFT of the log-mel and the augmentation stay as they are. Names in the state dict do not change. What was
    compiled before in this process is forgotten, so that a sweep's runs do not add up to torch's limits.

    Args:
        model: Compiled when it is first called, and again for every other shape, mode and precision.
        **options: Of `torch.compile`.
    """
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, RECOMPILATIONS)
    blocks = [module for module in model.frontend.modules() if isinstance(module, ConvBlock | WaveBlock)]
    for part in (*blocks, model.backbone, model.head):
        part.compile(fullgraph=True, **options)
