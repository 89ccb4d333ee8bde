"""The semantic-map conditioner: labels, one-hot, rescaled to latent size."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError
from latelier.nn.packed import Conv2d
from latelier.nn.stored_weights import find_compute_dtype
from latelier_conditioners.common.spatial import zero_map
from latelier_conditioners.semantic_map.inputs import SemanticMapConfig, SemanticMapInput
from latelier_conditioners.semantic_map.labels import Labels, labels_of, resize_labels


class SemanticMapConditioner(Conditioner[SemanticMapConfig]):
    """Concatenates a one-hot map of the labels, at latent size, to the latents.

    The SpatialRescaler of semantic synthesis (Rombach et al. 2022, arXiv:2112.10752, section 4.3.2
    and its published checkpoints), with its optional 1x1 convolution. Without a map every channel
    is zero.
    """

    Input = SemanticMapInput

    def __init__(self, config: SemanticMapConfig) -> None:
        super().__init__(config)
        self.channel_mapper: nn.Module = nn.Identity()
        if config.out_channels is not None:
            self.channel_mapper = Conv2d(config.num_classes, config.out_channels, 1, bias=False)

    def output_size(self, value: SemanticMapInput, /) -> tuple[int, int]:
        """Return the map's size."""
        width, height = value.map.size
        return width, height

    def read_labels(self, image: Image) -> Labels:
        """Return the labels (H, W) of a map.

        Raises:
            InvalidInputError: it has labels or colours that the model does not know.
        """
        return labels_of(image, self.config)

    def prepare(
        self, inputs: Sequence[SemanticMapInput], geometry: PictureGeometry, /
    ) -> dict[str, Tensor]:
        """Return "labels" (B, H, W) int64 of the picture's size.

        Raises:
            InvalidInputError: a map has labels or colours that the model does not know, or another
                aspect than the picture.
            CompatibilityError: `n_stages` halvings of the picture do not give the latent size.
        """
        self._check_size(geometry)
        maps = [resize_labels(self.read_labels(each.map), geometry.size) for each in inputs]
        return {"labels": torch.from_numpy(np.stack(maps))}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, C, h, w)."""
        shares = label_shares(batch["labels"], self.config.num_classes, self.config.n_stages)
        return ConditionPart(spatial=self.channel_mapper(shares.to(find_compute_dtype(self))))

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return zeros (rows, C, h, w): no label, through a convolution without bias."""
        channels = self.config.out_channels or self.config.num_classes
        zeros = zero_map(rows, channels, geometry)
        device = next(self.parameters(), zeros).device
        return ConditionPart(spatial=zeros.to(device, find_compute_dtype(self)))

    def _check_size(self, geometry: PictureGeometry) -> None:
        halvings = 2**self.config.n_stages
        if geometry.size != tuple(side * halvings for side in geometry.latent_size):
            raise CompatibilityError(
                f"n_stages={self.config.n_stages} makes a semantic map {halvings} times "
                f"smaller, but the latents of a picture {geometry.size[1]}x{geometry.size[0]} are "
                f"{geometry.latent_size[1]}x{geometry.latent_size[0]}"
            )


def label_shares(labels: Tensor, num_classes: int, n_stages: int) -> Tensor:
    """Return the share (B, K, h, w) of each label in each block of 2**n_stages pixels a side.

    Bilinear halving is the mean of 2 x 2 pixels, so this equals the one-hot map (B, K, H, W) halved
    `n_stages` times. It never holds that map at full size, with its 182 channels in COCO-Stuff.

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
