"""A1111's "hires fix": the pictures of a first pass are enlarged and drawn again."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from latelier.contracts.images.reading import to_data_uri
from PIL import Image, ImageOps

from latelier_server.a1111.fields import read_field
from latelier_server.errors import field_mistake, mistake
from latelier_server.jobs.job import FinishedPicture

UPSCALERS = ("None", "Lanczos")
LATENT_UPSCALERS = ("Latent",)
"""Names of upscalers that are understood. All of them enlarge as "Lanczos" does."""

_SAME = ("", "Use same sampler", "Use same scheduler", "Use same checkpoint")


@dataclass(frozen=True)
class HiresPass:
    """The second pass.

    Attributes:
        size: (width, height) of its pictures.
        changes: fields of the request in which it differs from the first.
    """

    size: tuple[int, int]
    changes: Mapping[str, Any]

    def request(
        self, first: Mapping[str, Any], pictures: Sequence[FinishedPicture]
    ) -> dict[str, Any]:
        """Return the request for it.

        Args:
            first: request of the first pass.
            pictures: that it made.
        """
        enlarged = [_enlarge(picture.data, self.size) for picture in pictures]
        own = {"init_image": enlarged, "size": list(self.size), "n": 1, "seed": pictures[0].seed}
        return {**first, **self.changes, **own}


def read_hires(
    fields: Mapping[str, Any], prompt: str, size: tuple[int, int], max_pixels: int
) -> HiresPass | None:
    """Return the second pass that the fields of txt2img ask for; None for none.

    Args:
        fields: of the request.
        prompt: the public input of the prompt.
        size: of the pictures of the first pass.
        max_pixels: of a picture.

    Raises:
        ServerError: a field is invalid, or names something that is not here.
    """
    if not read_field(fields, "enable_hr", int, 0):
        return None
    upscaler = read_field(fields, "hr_upscaler", str, "")
    if upscaler not in ("", *UPSCALERS, *LATENT_UPSCALERS):
        raise mistake(f"could not find upscaler named {upscaler[:80]}", "hr_upscaler")
    for name in ("hr_sampler_name", "hr_scheduler", "hr_checkpoint_name"):
        if read_field(fields, name, str, "") not in _SAME:
            raise field_mistake(name, "the second pass uses what the first does")
    changes: dict[str, Any] = {
        "strength": read_field(fields, "denoising_strength", int | float, 0.75)
    }
    if steps := read_field(fields, "hr_second_pass_steps", int, 0):
        changes["steps"] = steps
    if text := read_field(fields, "hr_prompt", str, ""):
        changes["inputs"] = {prompt: text}
    if negative := read_field(fields, "hr_negative_prompt", str, ""):
        changes["negative"] = negative
    return HiresPass(_read_size(fields, size, max_pixels), changes)


def _read_size(
    fields: Mapping[str, Any], first: tuple[int, int], max_pixels: int
) -> tuple[int, int]:
    """Return the size of the second pass: `hr_resize_x` and `_y`, or `hr_scale` times the first."""
    scale = read_field(fields, "hr_scale", int | float, 2)
    wide, high = (read_field(fields, name, int, 0) for name in ("hr_resize_x", "hr_resize_y"))
    width, height = first
    if wide or high:
        size = wide or round(width * high / height), high or round(height * wide / width)
    else:
        size = int(width * scale), int(height * scale)
    if min(size) < 1:
        raise field_mistake("hr_scale", "the pictures of the second pass would have no pixels")
    if prod(size) > max_pixels:
        reason = f"{prod(size):,} pixels are above the limit of {max_pixels:,}"
        raise field_mistake("hr_scale", reason)
    return size


def _enlarge(data: bytes, size: tuple[int, int]) -> str:
    """Return a picture at another size, cropped to its proportions, as a data URI."""
    with Image.open(io.BytesIO(data)) as image:
        return to_data_uri(ImageOps.fit(image.convert("RGB"), size, Image.Resampling.LANCZOS))
