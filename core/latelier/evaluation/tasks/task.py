"""The base of tasks."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from latelier.contracts.frozen import Frozen
from latelier.evaluation.tasks.model import EvaluatedModel

Sample = Mapping[str, Any]
"""A sample of data: "index" and the fields that a run reads; "image" is uint8 (3, H, W)."""


class Task(Frozen):
    """What pictures are made of.

    Attributes:
        uses_model: Whether a model makes the pictures.
        inputs: Field of a sample that each public input of the model is given by default.
        needs: Fields of the data that the task itself reads.
        provides: Fields that the task adds to samples.
    """

    uses_model: ClassVar[bool] = True
    inputs: ClassVar[Mapping[str, str]] = {}

    @property
    def needs(self) -> frozenset[str]:
        return frozenset()

    @property
    def provides(self) -> frozenset[str]:
        return frozenset()

    def add_fields(self, sample: Sample, generator: np.random.Generator) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the fields that the task adds to a sample, random by its index alone."""
        return {}

    @abstractmethod
    def make_pictures(self, model: EvaluatedModel | None, samples: Sequence[Sample]) -> Tensor:
        """Return a picture of each sample, uint8 (B, 3, H, W); their indices follow each other."""


class GenerationTask(Task):
    """A task whose pictures a model generates from the public inputs."""

    def list_keywords(self, samples: Sequence[Sample]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return further keywords of `Pipeline.generate`, with a value for each sample."""
        return {}

    def make_pictures(self, model: EvaluatedModel | None, samples: Sequence[Sample]) -> Tensor:
        assert model is not None
        return model.generate(samples, **self.list_keywords(samples))
