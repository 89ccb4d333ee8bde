"""The model of an evaluation, with what it is given for every picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError, LatelierError
from latelier.pipeline import Pipeline


@dataclass(frozen=True, eq=False)
class EvaluatedModel:
    """A model, and how its pictures are made.

    Attributes:
        pipeline: the model itself.
        inputs: field of a sample that each public input is given.
        options: further keywords of `Pipeline.generate`.
        seed: of picture 0; picture k has the seed of this plus k.
        size: width and height of the pictures.
    """

    pipeline: Pipeline
    inputs: Mapping[str, str]
    options: Mapping[str, Any]
    seed: int
    size: tuple[int, int]

    def generate(self, samples: Sequence[Mapping[str, Any]], **keywords: Any) -> Tensor:
        """Return the pictures of samples whose indices follow each other, uint8 (B, 3, H, W).

        Args:
            samples: with the fields of the inputs.
            **keywords: further ones of `Pipeline.generate`; a list has one value for each sample.
        """
        made = self.pipeline.generate(**self._make_request(samples, keywords))
        return stack_images([np.asarray(picture.image.convert("RGB")) for picture in made])

    def check_options(self, samples: Sequence[Mapping[str, Any]], **keywords: Any) -> None:
        """Check the options by the request for samples, whose own faults do not count.

        Args:
            samples: see `generate`.
            **keywords: see `generate`.

        Raises:
            InvalidConfigError: an option is invalid.
        """
        try:
            self.pipeline.stream(**self._make_request(samples, keywords))  # which only plans it
        except LatelierError as error:
            field = error.field or ""
            if field.partition(".")[0] in self.options:
                text = error.reason or str(error)
                raise InvalidConfigError(f"generate.{field}: {text}") from None

    def _make_request(
        self, samples: Sequence[Mapping[str, Any]], keywords: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the keywords of `Pipeline.generate` for samples."""
        inputs = {name: [each[field] for each in samples] for name, field in self.inputs.items()}
        rows = {**inputs, **keywords}
        return {
            # batches and tiles must not depend on the memory that happens to be free
            "size": self.size,
            "batch_size": len(samples),
            "tile": 0,
            **self.options,
            **rows,
            "seed": self.seed + samples[0]["index"],
            "n": None if rows else len(samples),
        }


def stack_images(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Return pictures (H, W, 3) of one size as uint8 (B, 3, H, W)."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def to_pil(image: Tensor) -> Image.Image:
    """Return a picture, uint8 (3, H, W), as RGB."""
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
