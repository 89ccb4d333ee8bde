"""The contract of measures of pictures.

A run shows a measure batch after batch of pictures. The measure records columns, which are stored:
a number or a few for each picture. When all pictures are recorded, by one process or several, the
measure computes its figures from the columns. B pictures of a batch, N of a run, D features, K
classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from latelier.contracts.features import Features, FeatureStatistics

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class EvaluatedPictures:
    """A batch of pictures, as saved, and what they are compared with.

    Attributes:
        images: uint8 (B, 3, H, W).
        samples: the sample of data that each picture was made for: "prompt", "class_label",
            "layout", "semantic_map", "mask", "scene" ..., as far as the data have them.
        originals: uint8 (B, 3, H, W), the pictures of the samples; None where no measure of the
            run needs them.
        features: of the images, by the network of the run; None where no measure needs them.
    """

    images: "Tensor"
    samples: Sequence[Mapping[str, Any]]
    originals: "Tensor | None" = None
    features: Features | None = None


@dataclass(frozen=True)
class Figure:
    """A result of a measure.

    Attributes:
        name: in files, unique in its measure, such as "precision".
        title: in tables, such as "Precision".
        value: the result.
        low: lower end of the 95 % confidence interval of the expected value; None where there is
            none.
        high: upper end of it.
        unit: of the value, such as "dB"; "" without one.
        better: which values are better.
        note: what a reader must know of this value, such as its bias; "" for nothing.
        count: of how many pictures or objects it is; None where a measure does not say.
    """

    name: str
    title: str
    value: float
    better: Literal["lower", "higher"]
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""
    count: int | None = None


class Records(Protocol):
    """What was recorded of N pictures, in the order of their indices, by whatever processes.

    The columns are those of the measure and, if it needs them, "features" and "logits".
    """

    @property
    def count(self) -> int:
        """Number N of pictures."""
        ...

    @property
    def network(self) -> str:
        """Name of the network of the features; "" without one."""
        ...

    def column(self, name: str, /) -> "Tensor":
        """Return a column, (N, ...), in memory.

        Raises:
            InvalidInputError: there is no such column.
        """
        ...

    def chunks(self, *names: str) -> Iterator[tuple["Tensor", ...]]:
        """Yield the columns a chunk of pictures at a time, in order.

        Raises:
            InvalidInputError: there is no such column.
        """
        ...


class Reference(Protocol):
    """What is known of the pictures with which those of a run are compared."""

    @property
    def name(self) -> str:
        """What the pictures are, such as the name of their data set."""
        ...

    @property
    def count(self) -> int:
        """Number of pictures."""
        ...

    @property
    def statistics(self) -> FeatureStatistics:
        """Mean and covariance of the features of all pictures."""
        ...

    @property
    def features(self) -> "Tensor":
        """Features, float32 (K, D), of pictures drawn from them by a fixed rule."""
        ...


class Measure(Protocol):
    """Figures of the pictures of a run."""

    @property
    def needs(self) -> frozenset[str]:
        """What a run must have, checked before it makes a picture.

        "features", "logits", "originals" and "reference" are the run's; any other name is a field
        of the samples, such as "prompt".
        """
        ...

    def record(self, pictures: EvaluatedPictures, /) -> Mapping[str, "Tensor"]:
        """Return columns, (B, ...) each, computed on the device of the pictures.

        A row depends on its picture and sample alone. The run itself records the columns
        "features" and "logits", so a measure that needs these and a reference alone returns an
        empty mapping: it can be added to a run that is finished.
        """
        ...

    def compute(self, records: Records, reference: Reference | None, /) -> Sequence[Figure]:
        """Return the figures of all pictures, the most important one first.

        Args:
            records: of the columns.
            reference: None where the measure does not need one.
        """
        ...


@runtime_checkable
class WeightedMeasure(Measure, Protocol):
    """A measure with a network of its own."""

    @property
    def identity(self) -> str:
        """The network and the SHA-256 of its weights. Records of another identity do not mix."""
        ...
