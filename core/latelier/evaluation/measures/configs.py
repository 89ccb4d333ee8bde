"""Configurations of measures. They import no torch."""

from pathlib import Path

from pydantic import Field

from latelier.contracts.frozen import Frozen

_SEED = Field(default=2020, ge=0, lt=2**32, description="of the random choice, as torch-fidelity's")
_PICTURES = Field(
    default=10_000,
    ge=2,
    description="most pictures, and most reference pictures, spread evenly; time grows with their "
    "product",
)


class NoOptions(Frozen):
    """Of a measure without options."""


class FrechetDistanceConfig(Frozen):
    """The Frechet distance."""

    groups: int = Field(
        default=20,
        ge=6,
        le=1000,
        description="groups of pictures that are left out in turn, for the interval",
    )


class KernelDistanceConfig(Frozen):
    """The kernel distance."""

    subsets: int = Field(default=100, ge=1, le=10_000, description="random subsets of pictures")
    subset_size: int = Field(
        default=1000, ge=2, le=20_000, description="pictures of each, or all where there are fewer"
    )
    seed: int = _SEED


class InceptionScoreConfig(Frozen):
    """The Inception Score."""

    splits: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="parts of the pictures that are scored on their own; fewer where a part "
        "would have fewer than 20 pictures",
    )
    seed: int = _SEED


class PrecisionRecallConfig(Frozen):
    """Precision and recall."""

    neighbors: int = Field(default=3, ge=1, le=1000, description="to which balls reach")
    pictures: int = _PICTURES


class DensityCoverageConfig(Frozen):
    """Density and coverage."""

    neighbors: int = Field(default=5, ge=1, le=1000, description="to which balls reach")
    pictures: int = _PICTURES


class ClassAccuracyConfig(Frozen):
    """The accuracy of a classifier."""

    positions: Path | None = Field(
        default=None,
        description="text file of a whole number a line: line k, from 0, has the position of the "
        "logit of class k; null: k. The Inception of FID has the classes of ImageNet in an order "
        "of its own, the `target_class` of imagenet_2012_challenge_label_map_proto.pbtxt",
    )


class LpipsConfig(Frozen):
    """LPIPS."""

    weights: tuple[str, ...] | str = Field(
        description="file of weights or several that complement each other, safetensors or "
        "PyTorch: a path, or owner/name/FILE of the hub, fetched before. vgg16-397923af.pth of "
        "torchvision and weights/v0.1/vgg.pth of the package lpips, or an autoencoder's checkpoint "
        "by CompVis, which has both",
    )

    @property
    def files(self) -> tuple[str, ...]:
        """The files of weights."""
        return (self.weights,) if isinstance(self.weights, str) else self.weights
