"""The perceptual term of the reconstruction loss."""

from pathlib import Path

from torch import nn

from latelier.checkpoints.io.hub import find_fetched, parse_hub_name
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.io.user_folders import expand_home
from latelier.metrics.features import load_scene_features
from latelier.metrics.lpips import MIN_SIDE, load_lpips
from latelier.training.configs.first_stage import PerceptualConfig

_MIN_SIDES = {"lpips": MIN_SIDE, "detector": 16}
"""Its features at 1/16 of the sides have at least one position."""


def load_perceptual(config: PerceptualConfig) -> nn.Module:
    """Return a frozen network (images, references) -> distances (B,).

    Raises:
        InvalidConfigError: `detector` has several files.
        ModelFileError: a file is missing or damaged, or of another network. Nothing is fetched.
    """
    if config.network == "detector" and len(config.files) != 1:
        raise InvalidConfigError(
            f"perceptual.weights: the detector has one file of weights, not {len(config.files)}"
        )
    try:
        paths = [find_weights(name) for name in config.files]
        return load_lpips(paths) if config.network == "lpips" else load_scene_features(paths[0])
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


def find_weights(name: str) -> Path:
    """Return the file at a path, or a file of the hub that was fetched before.

    Raises:
        ModelFileError: there is no such file.
    """
    path = expand_home(Path(name))
    if path.exists():
        return path
    hub = parse_hub_name(name)
    if hub is None or hub.file is None:
        raise ModelFileError(f"{name}: not found")
    try:
        path = find_fetched(hub) / hub.file
    except ModelFileError:
        path = Path()
    if not path.is_file():
        raise ModelFileError(
            f"{name}: not found, neither as a path nor among the fetched files "
            f"of the hub; to fetch it: hf download {hub.repository} {hub.file}"
        )
    return path
