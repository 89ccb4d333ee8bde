"""The base class of conditioners. Unlike the other contracts it imports torch."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic

import numpy as np
from PIL.Image import Image
from pydantic import BaseModel
from torch import Tensor, nn
from typing_extensions import TypeVar

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.configs import ConditionerConfig
from latelier.contracts.inputs import read_input

Config = TypeVar("Config", bound=ConditionerConfig, default=ConditionerConfig, covariant=True)
"""The configuration class of a conditioner; `Conditioner` alone stands for any."""


class Conditioner(nn.Module, ABC, Generic[Config]):
    """A module with a frozen config that turns inputs into a part of a condition.

    A subclass names its `Input` and implements `prepare`, `forward` and `null`. The other methods
    are optional.
    """

    Input: ClassVar[type[BaseModel]]

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    @property
    def config(self) -> Config:
        """The configuration that it was built with."""
        return self._config

    @abstractmethod
    def prepare(self, inputs: Sequence[Any], geometry: PictureGeometry, /) -> dict[str, Tensor]:
        """Return CPU tensors for a batch of `Input`s; the first axis is the batch.

        It draws no random numbers and reads no weights, so data workers can run it and its result
        can be cached.
        """

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> ConditionPart:
        """Return the part for a prepared batch, on the batch's device. Differentiable.

        Here and in `null`, `geometry.first_stage` encodes images for conditioners that work on
        latents.
        """

    @abstractmethod
    def null(self, rows: int, geometry: PictureGeometry, /) -> ConditionPart:
        """Return the null part for `rows` rows, with the slots of `forward`.

        It replaces a missing input and a condition that training drops. The null parts of all
        conditioners are the null condition of guidance.
        """

    def encode(
        self, inputs: Sequence[Any], geometry: PictureGeometry | None = None
    ) -> ConditionPart:
        """Return the part for inputs, or for the short form of them (see `read_input`).

        Raises:
            InvalidInputError: `inputs` has a value that does not fit `Input`.
        """
        values = [read_input(self.Input, value, type(self).__name__) for value in inputs]
        geometry = geometry or PictureGeometry((0, 0), (0, 0))
        batch = self.prepare(values, geometry)
        device = next((p.device for p in self.parameters()), None)
        part: ConditionPart = self(
            {name: tensor.to(device) for name, tensor in batch.items()}, geometry
        )
        return part

    def check(self, value: Any, /) -> Sequence[str]:  # noqa: ARG002
        """Return warnings about an `Input` that is valid but may not do what a person expects.

        They do not stop a run. Example: a prompt with words outside the model's vocabulary.
        """
        return ()

    def vocabulary(self) -> Sequence[str]:
        """Return the words or labels that inputs may use, empty where they are not limited."""
        return self.config.vocabulary(self.assets())

    def output_size(self, value: Any, /) -> tuple[int, int] | None:  # noqa: ARG002
        """Return the (width, height) of the picture that an `Input` implies, None if any will do.

        A request without a size takes this one.
        """
        return None

    def cropped_size(self, value: Any, /) -> tuple[int, int] | None:  # noqa: ARG002
        """Return the (width, height) of an image that is cropped to the picture's aspect, or None.

        A request whose pictures have another aspect gets a warning that names a fitting size.
        """
        return None

    def postprocess(self, picture: Image, value: Any, /) -> Image:  # noqa: ARG002
        """Return a generated picture after the last changes that an `Input` implies.

        Example: inpainting puts the original pixels back outside the mask.
        """
        return picture

    def known_pixels(self, batch: Mapping[str, Tensor], geometry: PictureGeometry, /) -> Tensor:
        """Return what a prepared batch says about the pictures' pixels, (B, 4, H, W).

        RGB in 0..1, multiplied by alpha, and alpha: 0 where the input says nothing; on the batch's
        device. First stages with a conditional decoder take it if the configuration
        `knows_pixels`.
        """
        raise NotImplementedError(f"{type(self).__name__} knows no pixels")

    def augment(self, value: Any, rng: np.random.Generator, /) -> Any:  # noqa: ARG002
        """Return the `Input` for one training step, drawn from `value` with `rng`.

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

        For conditions that depend on the window, such as the crop of a layout. The pipeline crops
        spatial parts itself. `forward` and `null` then get the box as `geometry.crop`; the sizes
        in `geometry`, and spatial parts, remain those of the whole picture.
        """
        return batch

    def fit(self, inputs: Iterable[Any]) -> None:
        """Learn what training needs before its first step, such as a vocabulary."""

    def extend(self, inputs: Iterable[Any]) -> None:
        """Add what the inputs of a fine-tuning have to what `fit` learnt, such as new words.

        What its weights stand for must stay the same.
        """

    def assets(self) -> dict[str, bytes]:
        """Return the files that it needs besides its weights, by name; saved with the pipeline."""
        return {}

    def set_assets(self, assets: Mapping[str, bytes]) -> None:
        """Restore from the files that `assets` returned."""
