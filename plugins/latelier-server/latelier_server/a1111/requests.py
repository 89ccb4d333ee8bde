"""From the fields of A1111's API to a request of a pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latelier.contracts.a1111_names import translate_sampler, translate_schedule
from latelier.contracts.images.reading import read_picture, to_data_uri
from latelier.contracts.options import options_model
from latelier.kernel.registry import Registry
from latelier.pipeline import Pipeline
from PIL import Image, ImageFilter, ImageOps

from latelier_server.a1111.fields import read_field, refuse_unsupported
from latelier_server.a1111.fill import fill_masked
from latelier_server.a1111.hires import HiresPass, read_hires
from latelier_server.a1111.only_masked import Part, has_black_cell
from latelier_server.bodies import decode_base64
from latelier_server.errors import field_mistake, mistake

_AUTOMATIC = ("", "automatic", "default")

_MAX_BLUR = 256
"""Pixels."""

_BLACK_OR_WHITE = [0] * 128 + [255] * 128


@dataclass(frozen=True, eq=False)
class A1111Request:
    """A request for pictures.

    Attributes:
        request: as `Pipeline.stream_json` takes it.
        fields: as they were sent, for the answer.
        hires: the second pass; None for none.
        part: of the picture, that is repainted alone; None for the whole.
    """

    request: dict[str, Any]
    fields: dict[str, Any]
    hires: HiresPass | None
    part: Part | None


def model_of(fields: Mapping[str, Any]) -> str | None:
    """Return the model that a request names; None for the one that is chosen."""
    return read_field(_settings(fields), "sd_model_checkpoint", str, None)


def read_request(pipe: Pipeline, fields: Mapping[str, Any], max_pixels: int) -> A1111Request:
    """Return the request of txt2img or img2img. Fields that A1111 does not have are ignored.

    Args:
        pipe: the model. The prompt is its first public input.
        fields: of the client.
        max_pixels: of a picture.

    Raises:
        ServerError: a field is invalid, or asks for something that is not here.
    """
    refuse_unsupported(fields)
    prompt, seed = next(iter(pipe.inputs)), read_field(fields, "seed", int, -1)
    size = _read_size(fields)
    request = {
        "inputs": {prompt: read_field(fields, "prompt", str, "")},
        "negative": read_field(fields, "negative_prompt", str, "") or None,
        "n": read_field(fields, "batch_size", int, 1) * read_field(fields, "n_iter", int, 1),
        "steps": read_field(fields, "steps", int, None),
        "guidance": read_field(fields, "cfg_scale", int | float, None),
        "seed": seed if seed >= 0 else None,
        "size": size and list(size),
        "sampler": _read_sampler(fields, pipe.atelier.samplers),
        "schedule": _read_schedule(fields, pipe.atelier.schedules),
    }
    hires, part = None, None
    if fields.get("init_images"):
        cell = pipe.first_stage.config.downsampling
        pictures, part = _read_pictures(fields, size or pipe.defaults.size, cell)
        request |= pictures
    else:
        hires = read_hires(fields, prompt, size or pipe.defaults.size, max_pixels)
    given = {name: value for name, value in request.items() if value is not None}
    return A1111Request(given, _shown(fields), hires, part)


def _read_size(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return (width, height) in pixels; None for that of the model or the picture."""
    width, height = (read_field(fields, name, int, None) for name in ("width", "height"))
    if width is None or height is None:
        return None
    if min(width, height) < 1:
        raise mistake(f"width, height: expected pixels above 0, not {width} x {height}", "width")
    return width, height


def _shown(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without the pictures, unless the client wants them back."""
    if read_field(fields, "include_init_images", int, 0):
        return dict(fields)
    return {name: value for name, value in fields.items() if name not in ("init_images", "mask")}


def _settings(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = read_field(fields, "override_settings", dict, {})
    return settings


def _read_pictures(
    fields: Mapping[str, Any], size: tuple[int, int], cell: int
) -> tuple[dict[str, Any], Part | None]:
    """Return the fields of a request that starts from a picture, and the part that is repainted.

    `cell` is the side of a cell of the latents in pixels.
    """
    pictures = fields["init_images"]
    if not isinstance(pictures, list) or len(pictures) != 1:
        raise field_mistake("init_images", "expected one picture")
    picture = _read_picture(pictures[0], "init_images").convert("RGB")
    request: dict[str, Any] = {
        "strength": read_field(fields, "denoising_strength", int | float, 0.75)
    }
    if not fields.get("mask"):
        return {**request, "init_image": to_data_uri(picture)}, None
    mask, part = _read_mask(fields, picture.size), None
    if read_field(fields, "inpaint_full_res", int, 1):
        margin = max(0, read_field(fields, "inpaint_full_res_padding", int, 0))
        part = Part.around(picture, mask, margin, size)
        picture, mask = picture.crop(part.box), mask.crop(part.box)
    if read_field(fields, "inpainting_fill", int, 0) == 0:
        picture = fill_masked(picture, mask)
    white = mask.point(_BLACK_OR_WHITE)
    request["init_image"] = to_data_uri(picture)
    if part is None or has_black_cell(white, size, cell):
        request["mask"] = to_data_uri(white)
    return request, part


def _read_mask(fields: Mapping[str, Any], size: tuple[int, int]) -> Image.Image:
    """Return the mask: white is repainted in both APIs."""
    mask = _read_picture(fields["mask"], "mask").convert("L")
    if mask.size != size:
        raise field_mistake("mask", f"expected {size[0]}x{size[1]} pixels, as the picture has")
    if read_field(fields, "inpainting_mask_invert", int, 0):
        mask = ImageOps.invert(mask)
    blur = min(_MAX_BLUR, read_field(fields, "mask_blur", int, 4))
    return mask.filter(ImageFilter.GaussianBlur(blur)) if blur > 0 else mask


def _read_picture(value: Any, field: str) -> Image.Image:
    try:
        return read_picture(decode_base64(value, field))
    except ValueError as error:
        raise field_mistake(field, str(error)) from None


def _read_sampler(fields: Mapping[str, Any], samplers: Registry[Any]) -> dict[str, Any] | None:
    """Return the sampler with those of A1111's options that it has; None for the model's own."""
    name = _sampler_name(fields)
    if name.lower() in _AUTOMATIC:
        return None
    ours = translate_sampler(name)[0]
    ours = ours if ours in samplers.names() else name
    options: dict[str, Any] = {"eta": read_field(fields, "eta", int | float, None)}
    if churn := read_field(fields, "s_churn", int | float, 0):
        extra = ("s_tmin", "s_tmax", "s_noise")
        options |= {option: read_field(fields, option, int | float, 0) or None for option in extra}
        options["s_churn"] = churn
    known = options_model(samplers.get(ours)).model_fields
    if churn and "s_churn" not in known:
        raise field_mistake("s_churn", f"the sampler '{name[:80]}' does not have it")
    given = {key: value for key, value in options.items() if key in known and value is not None}
    return {"name": ours, "options": given}


def _read_schedule(fields: Mapping[str, Any], schedules: Registry[Any]) -> str | None:
    """Return our name of the schedule; None for the model's own."""
    name = read_field(fields, "scheduler", str, "")
    if name.lower() in _AUTOMATIC:
        return translate_sampler(_sampler_name(fields))[1]
    ours = translate_schedule(name)
    return ours if ours in schedules.names() else name


def _sampler_name(fields: Mapping[str, Any]) -> str:
    name: str = read_field(fields, "sampler_name", str, "")
    return name or read_field(fields, "sampler_index", str, "")
