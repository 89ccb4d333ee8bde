"""The perceptual term of the reconstruction loss."""

from torch import nn

from latelier.checkpoints.io.hub import find_local
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.metrics.features import load_scene_features
from latelier.metrics.lpips import MIN_SIDE, load_lpips
from latelier.training.configs.first_stage import PerceptualConfig

_MIN_SIDES = {"lpips": MIN_SIDE, "detector": 16}
"""Its features at 1/16 of the sides have at least one position."""


def load_perceptual(config: PerceptualConfig) -> nn.Module:
    """Return a frozen network (images, references) -> distances (B,).

    Raises:
        ModelFileError: a file is missing or damaged, or of another network. Nothing is fetched.
    """
    if config.network == "detector":
        return load_scene_features()
    try:
        return load_lpips([find_local(name) for name in config.files])
    except ModelFileError as error:
        raise ModelFileError(f"perceptual.weights: {error}", field="perceptual.weights") from None


def check_side(config: PerceptualConfig, height: int, width: int) -> None:
    """Check that images are large enough for the network.

    Raises:
        InvalidConfigError: they are not.
    """
    side = _MIN_SIDES[config.network]
    if min(height, width) < side:
        raise InvalidConfigError(
            f"perceptual: '{config.network}' needs images with sides of at least {side} pixels, "
            f"but the images are {width} x {height}"
        )
