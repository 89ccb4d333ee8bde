"""The hint conditioner: the pixels of a picture of the same size, and where there are any."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad, pixel_unshuffle

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.images.cropping import fit_aspect
from latelier.contracts.images.pixels import pil_to_tensor
from latelier_conditioners.common.spatial import zero_map
from latelier_conditioners.hint.inputs import Hint, HintConfig


class HintConditioner(Conditioner[HintConfig]):
    """Gives the pixels of a hint to a residual adapter, such as ControlNet or T2I-Adapter.

    Each square of p x p pixels in 0..1 becomes 3 p^2 channels of one cell of the latents. Nothing
    is lost, and a window of the picture takes its part of the hint. One more channel is 1; without
    a hint it is 0, like all others, so that an adapter can tell a black hint from none.
    """

    Input = Hint

    def prepare(self, inputs: Sequence[Hint], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return "hint" (B, 3 p^2 + 1, h, w).

        A hint of another aspect than the picture is cropped around its centre.

        Raises:
            CompatibilityError: the patch is not the downsampling of the first stage.
        """
        self._check_patch(geometry)
        rows = [_fit(each, geometry.size) for each in inputs]
        cells = pixel_unshuffle(torch.stack(rows), self.config.patch)
        return {"hint": pad(cells, (0, 0, 0, 0, 0, 1), value=1.0)}

    def forward(self, batch: Mapping[str, Tensor], _geometry: PictureGeometry, /) -> ConditionPart:
        """Return the spatial part (B, 3 p^2 + 1, h, w)."""
        return ConditionPart(spatial=batch["hint"])

    def cropped_size(self, value: Hint, /) -> tuple[int, int]:
        """Return the (width, height) of the hint."""
        return value.image.size

    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return zeros (rows, 3 p^2 + 1, h, w): no hint."""
        return ConditionPart(spatial=zero_map(rows, 3 * self.config.patch**2 + 1, geometry))

    def _check_patch(self, geometry: PictureGeometry) -> None:
        patch = self.config.patch
        if geometry.size != tuple(side * patch for side in geometry.latent_size):
            raise CompatibilityError(
                f"the hints of this adapter are for a first stage that makes pictures {patch} "
                f"times smaller; the latents of a picture {geometry.size[1]}x{geometry.size[0]} "
                f"are {geometry.latent_size[1]}x{geometry.latent_size[0]} here"
            )


def _fit(hint: Hint, size: tuple[int, int]) -> Tensor:
    """Return the pixels (3, H, W) of a hint in 0..1, cropped and resized to the picture's size."""
    image = (pil_to_tensor(hint.image) + 1) / 2
    height, width = fit_aspect((image.shape[1], image.shape[2]), size)
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    cropped = image[:, top : top + height, left : left + width]
    if (height, width) == size:
        return cropped
    return interpolate(cropped[None], size, mode="bicubic", antialias=True)[0].clamp(0, 1)
