"""LPIPS: the perceptual distance of features of VGG16 (Zhang et al. 2018, arXiv:1801.03924)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from latelier.checkpoints.io.weights import load_into, meta_device
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.metrics.features import FrozenNetwork, to_unit_length

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions of VGG16 (arXiv:1409.1556), of which each stage gives features."""

_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""From images in [-1, 1] to the inputs of VGG16, in each channel."""

MIN_SIDE = 16
"""Smallest side of an image in pixels: four halvings leave one."""

_KEYS = {
    r"(?:.*\.)?net\.slice\d\.(\d+\.(?:weight|bias))": r"features.\1",  # package lpips, CompVis
    r"(?:.*\.)?features\.(\d+\.(?:weight|bias))": r"features.\1",  # torchvision
    r"(?:.*\.)?lin(\d)\.model\.\d\.weight": r"linears.\1.weight",
}
"""Published names of tensors -> ours."""


class Lpips(FrozenNetwork):
    """The distance of two images: weighted squared differences of their features of VGG16."""

    def __init__(self) -> None:
        super().__init__()
        layers, before = list[nn.Module](), 3
        for stage in STAGES:
            layers += [nn.MaxPool2d(2)] if layers else []
            for channels in stage:
                layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                before = channels
        self.features = nn.Sequential(*layers)  # with the indices of torchvision
        self.linears = nn.ModuleList(nn.Conv2d(each[-1], 1, 1, bias=False) for each in STAGES)

    def forward(self, images: Tensor, references: Tensor) -> Tensor:
        """Return the distances, float32 (B,), of images (B, 3, H, W) in [-1, 1] and references.

        Raises:
            InvalidInputError: a side is smaller than 16 pixels.
        """
        if min(images.shape[2:]) < MIN_SIDE:
            raise InvalidInputError(
                f"LPIPS needs images with sides of at least {MIN_SIDE} pixels, "
                f"got {tuple(images.shape)}"
            )
        total = torch.zeros(len(images), device=images.device)
        pairs = zip(self._extract(images), self._extract(references), strict=True)
        for linear, (x, y) in zip(self.linears, pairs, strict=True):
            difference = (to_unit_length(x) - to_unit_length(y)).square()
            total = total + linear(difference).float().mean((1, 2, 3))
        return total

    def _extract(self, images: Tensor) -> Iterator[Tensor]:
        """Yield the features (B, C, h, w) at the end of each stage."""
        shift, scale = (images.new_tensor(each).view(1, 3, 1, 1) for each in (_SHIFT, _SCALE))
        h = (images - shift) / scale
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                yield h
            h = layer(h)
        yield h


def load_lpips(paths: Sequence[Path]) -> Lpips:
    """Load LPIPS from files that together have the weights of VGG16 and of the linear layers.

    The names of tensors are those of torchvision's vgg16, of the package lpips, or of the losses in
    an autoencoder's checkpoint by CompVis.

    Raises:
        ModelFileError: a file is missing or damaged, or they do not have these weights.
    """
    tensors: dict[str, Tensor] = {}
    for path in paths:
        tensors |= rename_tensors(tensors_of(path))
    what = " and ".join(map(str, paths))
    if not any(name.startswith("features.") for name in tensors):
        raise ModelFileError(
            f"{what}: expected the weights of VGG16 (features.0.weight or net.slice1.0.weight "
            "...), as torchvision's vgg16 has them"
        )
    if not any(name.startswith("linears.") for name in tensors):
        raise ModelFileError(
            f"{what}: expected the linear weights of LPIPS too (lin0.model.1.weight ...); "
            "add the file weights/v0.1/vgg.pth of the package lpips"
        )
    with meta_device():
        network = Lpips()
    load_into(network, tensors, what)
    return network.freeze()


def rename_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of LPIPS under the names of `Lpips`, without all others."""
    renamed = {}
    for name, tensor in tensors.items():
        for pattern, replacement in _KEYS.items():
            match = re.fullmatch(pattern, name)
            if match:
                renamed[match.expand(replacement)] = tensor
    return renamed
