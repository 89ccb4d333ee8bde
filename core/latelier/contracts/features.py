"""The contract of feature networks, and what is known of many features.

Distributions of pictures are compared by the features of a frozen network. B pictures, D features,
K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from latelier.contracts.errors import InvalidInputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Features:
    """What a feature network says of B pictures.

    Attributes:
        vectors: float32 (B, D).
        logits: float32 (B, K) of the classes; None where the network does not classify.
    """

    vectors: "Tensor"
    logits: "Tensor | None" = None


class FeatureNetwork(Protocol):
    """A frozen network whose features of pictures are compared.

    Features are a function of the picture alone: its batch and the order of calls do not matter.
    """

    @property
    def name(self) -> str:
        """Name in every result, such as "Inception-v3 (FID, 2015-12-05)"."""
        ...

    @property
    def identity(self) -> str:
        """What the features depend on: network, SHA-256 of the weights, rule of resizing.

        Statistics of another identity are not compared.
        """
        ...

    @property
    def width(self) -> int:
        """Width D of the features."""
        ...

    def __call__(self, images: "Tensor", /) -> Features:
        """Return the features of pictures, computed on their device, to which the network moves.

        Args:
            images: uint8 (B, 3, H, W) of any size: the network resizes them by its own rule.

        Raises:
            InvalidInputError: the pictures have another shape or type, or are too small.
        """
        ...


class TextFeatureNetwork(FeatureNetwork, Protocol):
    """A feature network whose features of texts are comparable with those of pictures."""

    def embed_texts(self, texts: Sequence[str], /) -> "Tensor":
        """Return the features of texts, float32 (B, D), on the device of the network."""
        ...


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """The normal distribution that stands for a set of features.

    Attributes:
        mean: float64 (D,).
        covariance: float64 (D, D), the unbiased estimate.
    """

    mean: "Tensor"
    covariance: "Tensor"

    @classmethod
    def from_features(cls, features: "Tensor") -> "FeatureStatistics":
        """Estimate mean and covariance of features (N, D), N at least 2.

        Raises:
            InvalidInputError: the features have another shape, or there are fewer than two rows.
        """
        if features.ndim != 2 or len(features) < 2:
            raise InvalidInputError(
                f"expected features (N, D) of two pictures or more, got {tuple(features.shape)}"
            )
        features = features.double()
        return cls(features.mean(0), features.T.cov().reshape(features.shape[1], -1))
