"""A judge of pictures: which glyph they show, and on what background.

It is a classifier of rendered scenes. It never saw a generated picture, so that what it says of one
is evidence of nothing but the picture.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from latelier.checkpoints.io.weights import load_into, read_weights, without_storage, write_weights
from latelier.contracts.errors import InvalidInputError
from latelier.data.emoji_scenes import BACKGROUND_KINDS, PALETTE, vocabulary

GLYPHS = vocabulary("basic")
"""The glyphs that the judge knows; a position in it is a class id."""

JUDGE_WEIGHTS = "judge.safetensors"

SIDE = 64
"""Side in pixels of the pictures that it judges."""


@dataclass(frozen=True, eq=False)
class Verdict:
    """Logits for B pictures; the largest of a row is the judge's first choice.

    glyph: (B, 512), in the order of `GLYPHS`.
    kind: (B, 6), in the order of `BACKGROUND_KINDS`.
    color: (B, 16), the background's dominant colour, in the order of `PALETTE`.
    """

    glyph: Tensor
    kind: Tensor
    color: Tensor


class Judge(nn.Module):
    """A small residual network (arXiv:1512.03385) with one head for the glyph, one for the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Convolution(3, 32, kernel=5, stride=2)
        self.body = nn.Sequential(
            _Convolution(32, 64, stride=2),
            _Residual(64),
            _Convolution(64, 128, stride=2),
            _Residual(128),
        )
        self.top = _Convolution(128, 224, stride=2)
        self.glyph = nn.Linear(224, len(GLYPHS))
        # The order of a gradient's colours is its direction: this head sees where things are.
        self.surround = _Convolution(128, 48, stride=2)
        self.background = nn.Linear(48 * 4 * 4, len(BACKGROUND_KINDS) + len(PALETTE))

    def forward(self, images: Tensor) -> Verdict:
        """Judge pictures (B, 3, 64, 64) in [-1, 1].

        Raises:
            InvalidInputError: they have another shape.
        """
        if images.shape[1:] != (3, SIDE, SIDE):
            raise InvalidInputError(
                f"the judge takes pictures (B, 3, {SIDE}, {SIDE}), not {tuple(images.shape)}"
            )
        features = self.body(self.stem(images))  # (B, 128, 8, 8)
        glyph = self.glyph(self.top(features).mean((2, 3)))
        background = self.background(self.surround(features).flatten(1))
        kinds = len(BACKGROUND_KINDS)
        return Verdict(glyph, kind=background[:, :kinds], color=background[:, kinds:])

    @torch.no_grad()
    def judge(self, images: Tensor, batch: int = 256) -> Verdict:
        """Judge any number of pictures (N, 3, 64, 64) in [-1, 1], `batch` at a time."""
        parts = [self(part) for part in torch.split(images, batch)]
        return Verdict(
            glyph=torch.cat([part.glyph for part in parts]),
            kind=torch.cat([part.kind for part in parts]),
            color=torch.cat([part.color for part in parts]),
        )


class _Convolution(nn.Module):
    def __init__(self, before: int, after: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, h: Tensor) -> Tensor:
        return relu(self.norm(self.conv(h)))


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, h: Tensor) -> Tensor:
        return relu(h + self.norm(self.conv(h)))


def save_judge(path: Path, judge: Judge) -> str:
    """Write a judge's weights, in float16 but for running means and variances; return SHA-256."""
    learnt = {name for name, _ in judge.named_parameters()}
    state = judge.state_dict()
    return write_weights(
        path, {name: each.half() if name in learnt else each for name, each in state.items()}
    )


def load_judge(path: Path) -> Judge:
    """Return the judge whose weights `save_judge` wrote, ready to judge in float32.

    Raises:
        ModelFileError: the file is missing, damaged or not a judge's.
    """
    with without_storage():
        judge = Judge()
    load_into(judge, read_weights(path), str(path))
    return judge.float().eval().requires_grad_(False)
