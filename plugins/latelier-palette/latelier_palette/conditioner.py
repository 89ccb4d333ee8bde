"""The palette conditioner: one token for each colour."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from latelier import Conditioner, ConditionPart, PictureGeometry, Stream
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from latelier_palette.inputs import Palette, PaletteConfig
from latelier_palette.lab import hex_of, lab_of

_HALF = 0.5
"""How often training hides the shares, leaves out colours, or shifts them."""

_SHIFT = 15.0
"""Most that colours are shifted, as a standard deviation of L, a and b."""


class PaletteConditioner(Conditioner):
    """Embeds each colour by itself: tokens have no positions, so their order does not matter.

    A colour is seen in CIE L*a*b*, where equal distances look about equally large, in a few octaves
    (Fourier features, arXiv:2006.10739), beside its share of the picture.
    """

    Input = Palette

    def __init__(self, config: PaletteConfig) -> None:
        super().__init__(config)
        self._palette = config
        seen = 3 * (1 + 2 * config.octaves) + 2
        self.embed = nn.Sequential(
            nn.Linear(seen, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.width),
            nn.SiLU(),
            nn.Linear(config.width, config.width),
            nn.LayerNorm(config.width),
        )

    def prepare(
        self, inputs: Sequence[Palette], _geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "colors" (B, N, 5) float32 and "mask" (B, N) bool, N as of the longest palette.

        Of each colour: L, a and b in about -1..1, its share in 0..1 and whether that is known.
        """
        rows = [_features(value) for value in inputs]
        counts = torch.tensor([len(row) for row in rows])
        colors = pad_sequence(rows, batch_first=True) if rows else torch.zeros(0, 1, 5)
        return {"colors": colors, "mask": torch.arange(colors.shape[1]) < counts[:, None]}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return a stream of one token a colour, (B, N, width)."""
        colors = batch["colors"].to(self._weight.dtype)
        lab, share = colors[..., :3], colors[..., 3:]
        octaves = 2 ** torch.arange(self._palette.octaves, device=lab.device)
        angles = (math.pi / 2 * lab[..., None] * octaves).flatten(2)  # (B, N, 3 * octaves)
        seen = torch.cat([lab, angles.sin(), angles.cos(), share], dim=2)
        return ConditionPart(Stream(self.embed(seen), batch["mask"]))

    def null(self, rows: int, _geometry: PictureGeometry, /) -> ConditionPart:
        """Return one masked token, which adds nothing: no palette is the model without adapter."""
        weight = self._weight
        mask = torch.zeros(rows, 1, dtype=torch.bool, device=weight.device)
        return ConditionPart(Stream(weight.new_zeros(rows, 1, self._palette.width), mask))

    def augment(self, value: Palette, rng: np.random.Generator, /) -> Palette:
        """Return what a person might give in place of a picture's own palette.

        That is fewer colours, or no shares, or colours near to the picture's: pictures of training
        have few colours, and others are to be met by the nearest of them.
        """
        kept, shares, colors = np.arange(len(value.colors)), value.shares, value.colors
        if rng.random() < _HALF:
            odds = None if shares is None else np.array(shares) / sum(shares)
            kept = rng.choice(kept, rng.integers(1, len(kept) + 1), replace=False, p=odds)
        if shares is not None:
            shares = None if rng.random() < _HALF else tuple(shares[k] for k in kept)
        if rng.random() < _HALF:
            colors = _shifted(colors, rng.uniform(0, _SHIFT), rng)
        return Palette(colors=tuple(colors[k] for k in kept), shares=shares)

    @property
    def _weight(self) -> Tensor:
        weight: Tensor = self.embed[0].weight  # type: ignore[assignment]
        return weight


def _shifted(colors: Sequence[str], deviation: float, rng: np.random.Generator) -> tuple[str, ...]:
    shift = rng.normal(0, deviation, (len(colors), 3)).astype(np.float32)
    return tuple(hex_of(lab_of(colors) + torch.from_numpy(shift)))


def _features(value: Palette) -> Tensor:
    """Return (N, 5): L, a, b, share, whether the share is known."""
    lab = lab_of(value.colors) / torch.tensor([50.0, 64.0, 64.0]) - torch.tensor([1.0, 0.0, 0.0])
    shares = torch.tensor(value.shares or [0.0] * len(lab))[:, None]
    known = torch.full_like(shares, float(value.shares is not None))
    return torch.cat([lab, shares, known], dim=1)
