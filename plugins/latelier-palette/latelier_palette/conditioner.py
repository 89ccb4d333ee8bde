"""The palette conditioner: one token for each colour."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from latelier_palette.inputs import Palette, PaletteConfig
from latelier_palette.lab import hex_from_lab, lab_from_hex

_AUGMENT_PROBABILITY = 0.5
"""Of hiding the shares, of dropping colours, and of shifting them."""

_MAX_SHIFT = 15.0
"""Largest standard deviation of a random shift of L, a and b."""


class PaletteConditioner(Conditioner[PaletteConfig]):
    """Embeds each colour separately: tokens have no positions, so their order does not matter.

    The features of a colour are its CIE L*a*b* coordinates, in which equal distances look about
    equally large, their Fourier features (arXiv:2006.10739), and its share of the picture.
    """

    Input = Palette

    def __init__(self, config: PaletteConfig) -> None:
        super().__init__(config)
        features = 3 * (1 + 2 * config.octaves) + 2
        self.embed = nn.Sequential(
            nn.Linear(features, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.width),
            nn.LayerNorm(config.width),
        )

    def prepare(
        self, inputs: Sequence[Palette], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "colors" (B, N, 5) float32 and "mask" (B, N) bool, N the longest palette's length.

        The five numbers of a colour are L, a and b in about -1..1, its share in 0..1, and 1 if the
        share is known, else 0.
        """
        rows = [_features(value) for value in inputs]
        counts = torch.tensor([len(row) for row in rows])
        colors = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 1, 5)
        return {"colors": colors, "mask": torch.arange(colors.shape[1]) < counts[:, None]}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return a stream of one token for each colour, (B, N, width)."""
        colors = batch["colors"].to(self._weight.dtype)
        lab, share = colors[..., :3], colors[..., 3:]
        octaves = 2 ** torch.arange(self.config.octaves, device=lab.device)
        angles = (math.pi / 2 * lab[..., None] * octaves).flatten(2)  # (B, N, 3 * octaves)
        features = torch.cat([lab, angles.sin(), angles.cos(), share], dim=2)
        return ConditionPart(Stream(self.embed(features), batch["mask"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return one masked token. It adds nothing: without a palette the adapter has no effect."""
        weight = self._weight
        mask = torch.zeros(rows, 1, dtype=torch.bool, device=weight.device)
        return ConditionPart(Stream(weight.new_zeros(rows, 1, self.config.width), mask))

    def augment(self, value: Palette, rng: np.random.Generator, /) -> Palette:
        """Return a palette that a person might give for a picture with the palette `value`.

        It has fewer colours, no shares, or colours near those of the picture. Training pictures
        have few colours, and the model learns to use the nearest one for the others.
        """
        kept, shares, colors = np.arange(len(value.colors)), value.shares, value.colors
        if rng.random() < _AUGMENT_PROBABILITY:
            odds = None if shares is None else np.array(shares) / sum(shares)
            kept = rng.choice(kept, rng.integers(1, len(kept) + 1), replace=False, p=odds)
        if shares is not None:
            shares = None if rng.random() < _AUGMENT_PROBABILITY else tuple(shares[k] for k in kept)
        if rng.random() < _AUGMENT_PROBABILITY:
            colors = _shift_colors(colors, rng.uniform(0, _MAX_SHIFT), rng)
        return Palette(colors=tuple(colors[k] for k in kept), shares=shares)

    @property
    def _weight(self) -> Tensor:
        return self.embed[0].weight  # type: ignore[return-value]


def _shift_colors(
    colors: Sequence[str], deviation: float, rng: np.random.Generator
) -> tuple[str, ...]:
    shift = rng.normal(0, deviation, (len(colors), 3)).astype(np.float32)
    return tuple(hex_from_lab(lab_from_hex(colors) + torch.from_numpy(shift)))


def _features(value: Palette) -> Tensor:
    """Return (N, 5): L, a, b, share, and 1 if the share is known."""
    lab = lab_from_hex(value.colors) / torch.tensor([50.0, 64.0, 64.0]) - torch.tensor(
        [1.0, 0.0, 0.0]
    )
    shares = torch.tensor(value.shares or [0.0] * len(lab))[:, None]
    known = torch.full_like(shares, float(value.shares is not None))
    return torch.cat([lab, shares, known], dim=1)
