"""The pictures of one side of a comparison: made by a model, of a folder, or of the data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL.Image import Image

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.reading import open_picture
from latelier.data.converters.folder import convert_folder
from latelier.evaluation.comparison_sheet.samples import Sample
from latelier.evaluation.tasks.model import to_pil
from latelier.pipeline import Pipeline
from latelier.pipeline.picture import Preview

ORIGINALS = "originals"
"""Name of the side that has the pictures of the data."""

_PROMPT = "prompt"


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two that are compared.

    Attributes:
        name: shown when the votes are counted.
        pictures: RGB, one for each pair.
    """

    name: str
    pictures: Sequence[Image]


def stream_pictures(
    name: str, pipeline: Pipeline, prompts: Sequence[str], seed: int, **options: Any
) -> Iterator[Preview]:
    """Make a picture of each prompt; picture k has `seed` + k. Yield as `Pipeline.stream` does.

    Faults in the request raise at once.

    Args:
        name: of the model, for errors.
        pipeline: the model.
        prompts: at least one.
        seed: of the first picture.
        **options: further keywords of `Pipeline.generate`, such as `steps`.

    Raises:
        UnknownNameError: there is no such keyword.
        InvalidInputError: the model takes no prompt, or an option is invalid.
    """
    if _PROMPT not in pipeline.inputs:
        raise InvalidInputError(f"model '{name}' takes no {_PROMPT}, so prompts cannot compare it")
    return pipeline.stream(prompt=list(prompts), seed=seed, **options)


def read_side(folder: Path, count: int) -> Side:
    """Return a side with the pictures of a folder, in the order of their names.

    Args:
        folder: with pictures that another program made, or real ones.
        count: how many there must be.

    Raises:
        DataError: the folder cannot be read.
        InvalidInputError: there are more or fewer pictures, one cannot be read, or they have
            different sizes.
    """
    manifest = convert_folder(folder)
    if len(manifest) != count:
        raise InvalidInputError(
            f"{folder}: expected {count} pictures, one for each pair, found {len(manifest)}"
        )
    try:
        pictures = [open_picture(str(folder / each.path)).convert("RGB") for each in manifest]
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
    sizes = sorted({picture.size for picture in pictures})
    if len(sizes) > 1:
        raise InvalidInputError(f"{folder}: the pictures have different sizes, such as {sizes[:2]}")
    return Side(str(folder), pictures)


def take_originals(samples: Sequence[Sample]) -> Side:
    """Return a side with the pictures of the samples themselves.

    Raises:
        InvalidInputError: the samples have no pictures.
    """
    if not all("image" in sample for sample in samples):
        raise InvalidInputError("originals: expected a data set, since prompts have no pictures")
    return Side(ORIGINALS, [to_pil(sample["image"]) for sample in samples])
