"""What a decoder adds where inputs know pixels of the picture."""

from itertools import pairwise

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle, silu

from latelier.first_stages.configs import ConditionalDecoderConfig
from latelier.nn.packed import Conv2d

_SCALE = 2
"""Factor between levels, and between the picture and the first level."""

_CLOSED = -2.0
"""Initial logit of the gates: 0.12 of what is known is taken before any training."""


PREFIX = "conditional_decoder."
"""Of the names of its weights in a first stage."""


class ConditionalDecoder(nn.Module):
    """Corrects decoded images by the pixels that inputs know.

    Latents of a lower resolution cannot hold fine detail, and a denoiser errs about it. Where an
    input has shown the detail, a conditional decoder (Zhu et al. 2023, arXiv:2306.04632) need not
    invent it. This one follows a decoder that stays as it is: a gate for each pixel and input takes
    what the input shows, and a residual corrects edges and what no input knows. A small U-Net of
    three levels gives both; it has no norms, so that what it does to a pixel depends on its
    surroundings alone.
    """

    def __init__(self, config: ConditionalDecoderConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * mult for mult in (1, 2, 3)]
        seen = 3 + 7 * len(config.inputs)  # images; images under each input, and the input itself
        self.conv_in = Conv2d(seen * _SCALE**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, config.blocks) for width in widths)
        self.shrink = nn.ModuleList(
            Conv2d(fine * _SCALE**2, coarse, 1) for fine, coarse in pairwise(widths)
        )
        self.enlarge = nn.ModuleList(
            Conv2d(coarse, fine * _SCALE**2, 1) for fine, coarse in pairwise(widths)
        )
        self.up = nn.ModuleList(_blocks(width, config.blocks) for width in widths[:-1])
        self.conv_out = Conv2d(widths[0], (3 + len(config.inputs)) * _SCALE**2, 3, padding=1)
        self._start_closed()

    def forward(self, images: Tensor, known: Tensor) -> Tensor:
        """Return images (B, 3, H, W) with what is known of them.

        Args:
            images: about in [-1, 1].
            known: (B, 4 K, H, W): for each input RGB in 0..1, multiplied by alpha, and alpha.
        """
        each = rearrange(known, "b (k c) h w -> b k c h w", c=4)
        color, alpha = 2 * each[:, :, :3] - each[:, :, 3:], each[:, :, 3:]  # (B, K, 3 or 1, H, W)
        covered = color + (1 - alpha) * images[:, None]  # each input over the images
        seen = torch.cat([images, covered.flatten(1, 2), known], dim=1)
        residual, gates = self._estimate(seen).tensor_split([3], dim=1)
        taken = torch.sigmoid(gates)[:, :, None] * (covered - images[:, None])
        return images + taken.sum(dim=1) + residual

    def _estimate(self, seen: Tensor) -> Tensor:
        """Return residual and logits of gates, (B, 3 + K, H, W)."""
        height, width = seen.shape[2:]
        cell = self.config.cell
        framed = pad(seen, (0, -width % cell, 0, -height % cell), mode="replicate")
        h = self.conv_in(pixel_unshuffle(framed, _SCALE))
        skips = list[Tensor]()
        for blocks, shrink in zip(self.down, [*self.shrink, None], strict=True):
            h = blocks(h)
            if shrink is not None:
                skips.append(h)
                h = shrink(pixel_unshuffle(h, _SCALE))
        for blocks, enlarge in zip(reversed(self.up), reversed(self.enlarge), strict=True):
            h = blocks(skips.pop() + pixel_shuffle(enlarge(h), _SCALE))
        found: Tensor = pixel_shuffle(self.conv_out(silu(h)), _SCALE)
        return found[:, :, :height, :width]

    @torch.no_grad()
    def _start_closed(self) -> None:
        """Start with images that stay nearly as they are."""
        bias = self.conv_out.bias
        assert bias is not None
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(bias)
        bias[3 * _SCALE**2 :] = _CLOSED


class _Block(nn.Module):
    """Two 3x3 convolutions, each after SiLU, with a residual connection; at first the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, channels, 3, padding=1)
        self.conv2 = Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)
        assert self.conv2.bias is not None
        nn.init.zeros_(self.conv2.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        h: Tensor = self.conv2(silu(self.conv1(silu(x))))
        return x + h


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))


def run_in_tiles(decoder: ConditionalDecoder, images: Tensor, known: Tensor, tile: int) -> Tensor:
    """Return the output of `decoder`, computed in tiles; they agree with the whole within rounding.

    Each tile is computed with all that it depends on around it.

    Args:
        decoder: of a first stage.
        images: (B, 3, H, W).
        known: (B, 4 K, H, W).
        tile: side of a tile in pixels.
    """
    height, width = images.shape[2:]
    reach, cell = decoder.config.reach, decoder.config.cell
    side = max(cell, tile // cell * cell)
    result = torch.empty_like(images)
    for y in range(0, height, side):
        for x in range(0, width, side):
            top, left = max(0, y - reach), max(0, x - reach)
            part = slice(top, y + side + reach), slice(left, x + side + reach)
            made = decoder(images[:, :, *part], known[:, :, *part])
            inner = made[:, :, y - top :, x - left :][:, :, :side, :side]
            result[:, :, y : y + side, x : x + side] = inner
    return result
