"""The semantic-map conditioner: labels, one-hot, rescaled to latent size."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError
from latelier_conditioners.image_tensors import zero_part
from latelier_conditioners.semantic_map.inputs import SemanticMapConfig, Semantics
from latelier_conditioners.semantic_map.labels import labels_of, resized


class SemanticMapConditioner(Conditioner):
    """OutputSpec a map of the labels at latent size, by a learnt 1x1 convolution if it has one.

    The SpatialRescaler of semantic synthesis (Rombach et al. 2022, arXiv:2112.10752, section 4.3.2
    and its published checkpoints). Where no map is given every channel is zero: no label at all.
    """

    Input = Semantics

    def __init__(self, config: SemanticMapConfig) -> None:
        super().__init__(config)
        self._semantics = config
        self.channel_mapper: nn.Module = nn.Identity()
        if config.out_channels is not None:
            self.channel_mapper = nn.Conv2d(config.num_classes, config.out_channels, 1, bias=False)

    def output_size(self, value: Semantics, /) -> tuple[int, int]:
        """Return the map's size."""
        width, height = value.map.size
        return width, height

    def prepare(
        self, inputs: Sequence[Semantics], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "labels" (B, H, W) int64 of the picture's size.

        Raises:
            InvalidInputError: a map with labels or colours that the model does not know, or of
                another aspect than the picture.
            CompatibilityError: the halvings do not lead from the picture's size to the latents'.
        """
        self._check(geometry)
        maps = [resized(labels_of(each.map, self._semantics), geometry.size) for each in inputs]
        return {"labels": torch.from_numpy(np.stack(maps))}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, C, h, w)."""
        weight = next(self.parameters(), torch.empty(0))
        shares = label_shares(
            batch["labels"], self._semantics.num_classes, self._semantics.n_stages
        )
        return ConditionPart(spatial=self.channel_mapper(shares.to(weight.dtype)))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return zeros: the convolution, which has no bias, of no label at all."""
        channels = self._semantics.out_channels or self._semantics.num_classes
        zeros = zero_part(rows, channels, geometry)
        return ConditionPart(spatial=zeros.to(next(self.parameters(), zeros)))

    def _check(self, geometry: PictureGeometry) -> None:
        halvings = 2**self._semantics.n_stages
        if geometry.size != tuple(side * halvings for side in geometry.latent_size):
            raise CompatibilityError(
                f"n_stages={self._semantics.n_stages} makes a semantic map {halvings} times "
                f"smaller, but the latents of a picture {geometry.size[1]}x{geometry.size[0]} are "
                f"{geometry.latent_size[1]}x{geometry.latent_size[0]}"
            )


def label_shares(labels: Tensor, num_classes: int, n_stages: int) -> Tensor:
    """Return the share (B, K, h, w) that each label has of each block of 2**n_stages pixels.

    Bilinear halving is the mean of 2 x 2 pixels, so this is the one-hot map (B, K, H, W) halved
    `n_stages` times, without ever holding that at full size: it has 182 channels in COCO-Stuff.

    Args:
        labels: (B, H, W) int64; the sides are multiples of 2**n_stages.
        num_classes: K.
        n_stages: number of halvings.
    """
    side = 2**n_stages
    b, height, width = labels.shape
    shares = torch.zeros(b, num_classes, height // side, width // side, device=labels.device)
    part = torch.full((1, 1, 1, 1), side**-2, device=labels.device)
    for row in range(side):
        for column in range(side):
            pixels = labels[:, None, row::side, column::side]
            shares.scatter_add_(1, pixels, part.expand(pixels.shape))
    return shares
