"""From the fields of A1111's API to a request of a pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latelier.contracts.images.reading import is_data_uri, read_picture, to_data_uri
from latelier.kernel.registry import Registry
from PIL import ImageFilter, ImageOps

from latelier_server.bodies import decode_base64
from latelier_server.errors import mistake
from latelier_server.models.summary import ModelSummary

_SAMPLERS = {
    "euler": "euler",
    "euler a": "euler_ancestral",
    "heun": "heun",
    "lms": "lms",
    "dpm2": "dpm2",
    "dpm2 a": "dpm2_ancestral",
    "dpm++ 2m": "dpmpp_2m",
    "dpm++ sde": "dpmpp_sde",
    "dpm++ 2m sde": "dpmpp_2m_sde",
    "dpm++ 3m sde": "dpmpp_3m_sde",
    "dpm++ 2s a": "dpmpp_2s_ancestral",
    "ddim": "ddim",
    "plms": "plms",
    "unipc": "unipc",
    "restart": "restart",
    "lcm": "lcm",
}
"""A1111's name of a sampler in lower case -> ours."""

_SCHEDULES: dict[str, str] = dict.fromkeys(
    ("ddim", "normal", "sgm_uniform", "simple", "uniform"), "model"
)
"""A1111's names of the noise levels that a model was trained with -> ours."""

_AUTOMATIC = ("", "automatic", "default")

MAX_BLUR = 256


@dataclass(frozen=True)
class A1111Request:
    """A request for pictures.

    Attributes:
        model: its name; None for the one that is chosen.
        request: as `Pipeline.stream_json` takes it.
        fields: as they were sent, without pictures, for the answer.
    """

    model: str | None
    request: dict[str, Any]
    fields: dict[str, Any]


def read_fields(
    fields: Mapping[str, Any], samplers: Registry[Any], schedules: Registry[Any]
) -> A1111Request:
    """Return the request of txt2img or img2img. Fields that are not ours are ignored.

    Raises:
        ServerError: a field is invalid.
    """
    request: dict[str, Any] = {
        "prompt": _get(fields, "prompt", str, ""),
        "negative": _get(fields, "negative_prompt", str, "") or None,
        "n": _get(fields, "batch_size", int, 1) * _get(fields, "n_iter", int, 1),
        "steps": _get(fields, "steps", int, None),
        "guidance": _get(fields, "cfg_scale", int | float, None),
    }
    seed = _get(fields, "seed", int, -1)
    request["seed"] = seed if seed >= 0 else None
    sides = _get(fields, "width", int, None), _get(fields, "height", int, None)
    request["size"] = list(sides) if None not in sides else None
    name = fields.get("sampler_name") or fields.get("sampler_index")
    request["sampler"] = _translate(name, _SAMPLERS, samplers)
    request["schedule"] = _translate(fields.get("scheduler"), _SCHEDULES, schedules)
    if fields.get("init_images"):
        request |= _read_pictures(fields)
    override = _get(fields, "override_settings", dict, {})
    model = override.get("sd_model_checkpoint")
    shown = {key: value for key, value in fields.items() if key not in ("init_images", "mask")}
    return A1111Request(model if isinstance(model, str) else None, request, shown)


def for_model(asked: A1111Request, summary: ModelSummary) -> dict[str, Any]:
    """Return the request with the prompt as the first input of a model."""
    options = {name: value for name, value in asked.request.items() if value is not None}
    return {"inputs": {summary.inputs[0]: options.pop("prompt")}, **options}


def _read_pictures(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the picture to start from, and the mask: white is repainted in both APIs."""
    pictures = fields["init_images"]
    if not isinstance(pictures, list) or len(pictures) != 1:
        raise mistake("init_images: expected one picture", "init_images")
    found: dict[str, Any] = {
        "init_image": _to_uri(pictures[0], "init_images"),
        "strength": _get(fields, "denoising_strength", int | float, 0.75),
    }
    if fields.get("mask"):
        found["mask"] = _read_mask(fields)
    return found


def _read_mask(fields: Mapping[str, Any]) -> str:
    data = decode_base64(fields["mask"], "mask")
    try:
        mask = read_picture(data).convert("L")
    except ValueError as error:
        raise mistake(f"mask: {error}", "mask") from None
    if _get(fields, "inpainting_mask_invert", int, 0):
        mask = ImageOps.invert(mask)
    blur = _get(fields, "mask_blur", int, 0)
    if blur > 0:
        mask = mask.filter(ImageFilter.GaussianBlur(min(blur, MAX_BLUR)))
    return to_data_uri(mask.point([0] * 128 + [255] * 128))


def _to_uri(value: Any, field: str) -> str:
    """Return base64, with or without the head of a data URI, as a data URI."""
    if isinstance(value, str) and is_data_uri(value):
        return value
    decode_base64(value, field)
    return f"data:image/png;base64,{value}"


def _translate(name: Any, known: Mapping[str, str], registry: Registry[Any]) -> str | None:
    """Return our name of a sampler or schedule; None for the model's own."""
    if name is None or (isinstance(name, str) and name.lower() in _AUTOMATIC):
        return None
    if not isinstance(name, str):
        raise mistake(f"{name!r:.80} is no name of a {registry.kind}", registry.kind)
    plain = name.lower().removesuffix(" karras")
    return known.get(plain, plain if plain in registry.names() else name)


def _get(fields: Mapping[str, Any], name: str, kind: Any, default: Any) -> Any:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        value = int(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, kind):
        raise mistake(f"{name}: {value!r:.80} is of another type than expected", name)
    return value
