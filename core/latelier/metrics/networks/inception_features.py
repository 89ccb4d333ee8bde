"""The features of FID."""

from pathlib import Path

import torch
from torch import Tensor

from latelier.checkpoints.io.hub import find_local
from latelier.checkpoints.io.weights import load_into, meta_device
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.contracts.features import Features
from latelier.io.hashing import sha256_of
from latelier.metrics.features import FrozenNetwork
from latelier.metrics.networks.checks import check_pictures, full_precision, hash_weights
from latelier.metrics.networks.configs import InceptionConfig
from latelier.metrics.networks.inception import CLASSES, SIDE, WIDTH, Inception
from latelier.metrics.networks.resizing import resize_bicubic_antialias, resize_tf1_bilinear

FID_NETWORK = "Inception-v3 (FID, 2015-12-05)"
"""Beginning of the name in results: Frechet distances of these features alone are FID."""

UNKNOWN_INCEPTION = "Inception-v3 of unknown weights"
"""Beginning of the name where the file is not the published one."""

PUBLISHED_SHA256 = "6726825d"
"""Beginning of the SHA-256 of the file that torch-fidelity and pytorch-fid publish, as it is in its
names."""

_RULES = {
    "tf1_bilinear": "",
    "bicubic_antialias": ", resized as clean-fid",
    "none": ", not resized",
}


class InceptionFeatures(FrozenNetwork):
    """Features of FID, and logits without biases for the Inception Score."""

    width = WIDTH

    def __init__(self, config: InceptionConfig) -> None:
        """Read the weights.

        Raises:
            ModelFileError: the file is missing, damaged or of another network, or was not fetched.
        """
        super().__init__()
        self._resize = config.resize
        path = find_local(config.weights)
        self.network = load_inception(path)
        is_published = sha256_of(path).startswith(PUBLISHED_SHA256)
        network = FID_NETWORK if is_published else UNKNOWN_INCEPTION
        self.name = f"{network}{_RULES[config.resize]}"
        weights = hash_weights(self.network)
        self.identity = f"Inception-v3 of 2015-12-05, weights {weights}, resize {config.resize}"
        self.freeze()

    def forward(self, images: Tensor) -> Features:
        """Return features (B, 2048) and logits (B, 1008) of pictures uint8 (B, 3, H, W).

        Raises:
            InvalidInputError: the pictures have another shape or type, or another size without a
                rule of resizing.
        """
        check_pictures(images, "the network 'inception'")
        self.to(images.device)
        with full_precision():
            return Features(*self.network(self._resize_pictures(images)))

    def _resize_pictures(self, images: Tensor) -> Tensor:
        if self._resize == "tf1_bilinear":
            return resize_tf1_bilinear(images, SIDE, SIDE)
        if self._resize == "bicubic_antialias":
            return resize_bicubic_antialias(images, SIDE, SIDE)
        if images.shape[2:] != (SIDE, SIDE):
            raise InvalidInputError(
                f"expected pictures of {SIDE} x {SIDE} pixels, got {images.shape[3]} x "
                f"{images.shape[2]}; choose another `resize` of the network 'inception'"
            )
        return images.float()


def load_inception(path: Path) -> Inception:
    """Return the network with the weights of a file, in float32.

    Raises:
        ModelFileError: the file is missing, damaged or of another network.
    """
    if path.is_dir():
        raise ModelFileError(f"{path}: is a folder; name the file of weights in it")
    tensors = tensors_of(path)
    head = tensors.get("fc.weight", torch.empty(0))
    if tuple(head.shape) != (CLASSES, WIDTH):
        raise ModelFileError(
            f"{path}: expected the Inception of FID, whose 'fc.weight' is ({CLASSES}, {WIDTH}), "
            f"such as weights-inception-2015-12-05-6726825d.pth of torch-fidelity; got "
            f"{f'{tuple(head.shape)}' if 'fc.weight' in tensors else 'no such tensor'}"
        )
    with meta_device():
        network = Inception()
    counters = {
        name: torch.zeros((), dtype=torch.long)
        for name in network.state_dict()
        if name.endswith("num_batches_tracked")  # older files lack them, and nothing reads them
    }
    load_into(network, {**tensors, **counters}, str(path))
    return network.float()
