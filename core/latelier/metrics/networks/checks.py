"""What feature networks have in common: pictures, the identity of weights, precision."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from latelier.contracts.errors import InvalidInputError


def check_pictures(images: Tensor, what: str) -> None:
    """Check that images are pictures as saved.

    Args:
        images: uint8 (B, 3, H, W).
        what: expects them, for the error.

    Raises:
        InvalidInputError: they are not.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise InvalidInputError(
            f"{what} expects pictures uint8 (B, 3, H, W), got {images.dtype} {tuple(images.shape)}"
        )


def hash_weights(network: nn.Module) -> str:
    """Return the SHA-256 of the names and numbers of a network's weights, whatever their file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


@contextmanager
def full_precision() -> Iterator[None]:
    """Let cuDNN convolve float32 in float32, by one algorithm, whatever the machine.

    By default it rounds to TF32, whose 10 bits would show in the features.
    """
    with torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    ):
        yield
