"""The VGG-like CNNs of Table I: Cnn6, Cnn10, Cnn14.

Shapes: B clips, C and D channels, T frames, F frequency bins.
"""

from torch import Tensor, nn

from panns.models.layers import ConvBlock, init_weights, require_positive, require_probability

MAX_DEPTH = 6  # of Table I; a block has twice the channels of the one before, four times its weights


class Cnn(nn.Module):
    """(B, C, T, F) -> (B, D, T'): convolution blocks that double the width, then the mean over frequency.

    Table I; released classes `Cnn14` (the defaults), `Cnn10` (depth 4, pool_last) and `Cnn6` (also one 5 x 5
    convolution per block). Every block but the last halves time and frequency.

    Args:
        in_channels: C, from the frontend.
        depth: Number of the last block, at most MAX_DEPTH; block i has base_channels * 2 ** (i - 1) channels.
        convs_per_block: 2, or 1 as in Cnn6.
        kernel_size: Odd.
        base_channels: Width of block 1.
        start_block: Number of the first block; 2 behind a Wavegram frontend, whose own 2-D block stands for block 1.
        pool_last: Whether the last block pools too, as in Cnn6 and Cnn10 but not in Cnn14.
        dropout: After every block.

    Raises:
        ValueError: If no block is left, or more than MAX_DEPTH would be; a width that is not above 0, an even kernel.
    """

    input_dims = 2

    def __init__(
        self,
        in_channels: int,
        depth: int = 6,
        convs_per_block: int = 2,
        kernel_size: int = 3,
        base_channels: int = 64,
        start_block: int = 1,
        pool_last: bool = False,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        require_positive(
            "backbone",
            start_block=start_block,
            convs_per_block=convs_per_block,
            kernel_size=kernel_size,
            base_channels=base_channels,
        )
        require_probability("backbone", dropout=dropout)
        if not start_block <= depth <= MAX_DEPTH:
            raise ValueError(
                f"backbone.depth={depth}: from start_block={start_block} to {MAX_DEPTH}; each block doubles the width."
            )
        if kernel_size % 2 == 0:
            raise ValueError(f"backbone.kernel_size={kernel_size} must be odd, so that a map keeps its size.")
        self.blocks = nn.ModuleDict()  # "block1" and so on, numbered as in the paper
        for number in range(start_block, depth + 1):
            width = base_channels * 2 ** (number - 1)
            pool = (2, 2) if number < depth or pool_last else (1, 1)
            self.blocks[f"block{number}"] = ConvBlock(in_channels, width, convs_per_block, kernel_size, pool)
            in_channels = width
        self.dropout = nn.Dropout(dropout)
        self.out_channels = in_channels
        self.time_stride = 2 ** (depth - start_block + pool_last)
        self.min_frames = self.min_bins = self.time_stride
        self.apply(init_weights)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks.values():
            x = self.dropout(block(x))
        return x.mean(dim=3)  # (B, D, T')
