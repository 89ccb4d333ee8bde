"""The base class of conditioners. It needs torch, so it is apart from the kernel's contracts."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from PIL.Image import Image
from pydantic import BaseModel
from torch import Tensor, nn

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.configs import ConditionerConfig
from latelier.contracts.inputs import read_input


class Conditioner(nn.Module, ABC):
    """A module with a frozen config that turns inputs into a part of a condition.

    A subclass names its `Input`, and writes `prepare`, `forward` and `null`.
    """

    Input: ClassVar[type[BaseModel]]

    def __init__(self, config: ConditionerConfig) -> None:
        super().__init__()
        self._config = config

    @property
    def config(self) -> ConditionerConfig:
        """The configuration that it was built with."""
        return self._config

    @abstractmethod
    def prepare(self, inputs: Sequence[Any], frame: PictureGeometry, /) -> dict[str, Tensor]:
        """Return CPU tensors, first axis the batch, for a batch of `Input`s.

        It draws no random numbers and touches no weights, so data workers can run it and its
        result can be cached.
        """

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor], frame: PictureGeometry, /) -> ConditionPart:
        """Return the part for a prepared batch, on the batch's device. Differentiable.

        Here and in `null`, `frame.first_stage` is at hand for what works on latents.
        """

    @abstractmethod
    def null(self, rows: int, frame: PictureGeometry, /) -> ConditionPart:
        """Return the unconditional part, with the same slots, for that many rows.

        It stands where nothing was given, where training drops a condition, and on the other side
        of guidance.
        """

    def encode(self, inputs: Sequence[Any], frame: PictureGeometry | None = None) -> ConditionPart:
        """Return the part for inputs, or for the short form of them (see `read_input`).

        Raises:
            InvalidInputError: an input is not what `Input` asks for.
        """
        read = [read_input(self.Input, value, type(self).__name__) for value in inputs]
        frame = frame or PictureGeometry((0, 0), (0, 0))
        batch = self.prepare(read, frame)
        device = next((p.device for p in self.parameters()), None)
        part: ConditionPart = self(
            {name: tensor.to(device) for name, tensor in batch.items()}, frame
        )
        return part

    def output_size(self, value: Any, /) -> tuple[int, int] | None:  # noqa: ARG002
        """Return the (width, height) of the picture that an `Input` asks for; None if any does.

        Where a request names no size, this is its size.
        """
        return None

    def postprocess(self, picture: Image, value: Any, /) -> Image:  # noqa: ARG002
        """Return a generated picture as the `Input` wants it: what was to stay, put back."""
        return picture

    def check(self, value: Any, /) -> Sequence[str]:  # noqa: ARG002
        """Return warnings about an `Input`: what of it has no effect, a sentence each.

        A run is made all the same; an input that cannot be used is an error of `Input` or `prepare`.
        """
        return ()

    def augment(self, value: Any, rng: np.random.Generator, /) -> Any:  # noqa: ARG002
        """Return the `Input` that training sees in place of `value`, drawn with `rng`.

        For what is random by nature: the order of objects, the shape of a mask, a degradation.
        """
        return value

    def crop(
        self,
        batch: Mapping[str, Tensor],
        box: tuple[float, float, float, float],  # noqa: ARG002
        /,
    ) -> Mapping[str, Tensor]:
        """Return the batch for a window of the picture: x0, y0, x1, y1 in 0..1 of the whole.

        For what a denoiser must be told anew of each window, such as the crop of a layout. A
        spatial part is cropped in any case, and needs nothing here. `forward` and `null` then have
        the box as `frame.crop`; the frame's sizes stay those of the whole, as does a spatial part.
        """
        return batch

    def fit(self, inputs: Iterable[Any]) -> None:
        """Learn from training inputs what must be known before the first step (a vocabulary)."""

    def assets(self) -> dict[str, bytes]:
        """Return what it needs beside its weights, by file name; saved with the pipeline."""
        return {}

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Take back what `assets` returned."""
