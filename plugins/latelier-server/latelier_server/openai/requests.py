"""From the fields of OpenAI's images API to a request of a pipeline."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from latelier.contracts.images.reading import read_picture, to_data_uri
from latelier.contracts.messages import suggestion
from latelier.pipeline.request import KEYWORDS
from PIL import Image, ImageOps
from starlette.datastructures import FormData

from latelier_server.bodies import finite_number, read_file
from latelier_server.errors import field_mistake, mistake, wrong_type
from latelier_server.jobs.submission import JobRunner
from latelier_server.models.pool import ModelPool

IGNORED = frozenset(
    {
        "background", "input_fidelity", "moderation", "output_compression", "quality", "style",
        "user",
    }
)  # fmt: skip
"""Fields of the API that a local model has no use for."""

NAMES = {
    "negative_prompt": "negative",
    "guidance_scale": "guidance",
    "num_inference_steps": "steps",
}
"""Names that other open servers have -> ours."""

MAX_PARTIAL_IMAGES = 3

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")

_WHOLE = frozenset({"n", "partial_images", "seed", "steps", "num_inference_steps"})
_NUMBERS = frozenset({"guidance_scale", "strength"})
"""Fields of a form that are numbers there; all others stay texts."""

Format = Literal["png", "jpeg", "webp"]


@dataclass(frozen=True)
class ImagesRequest:
    """A request for pictures.

    Attributes:
        model: its name; None for the default.
        request: as `Pipeline.stream_json` takes it.
        response_format: how the answer has the pictures.
        output_format: of their files.
        is_stream: whether the answer is a stream of events.
        partial_images: previews in the stream.
    """

    model: str | None
    request: dict[str, Any]
    response_format: Literal["b64_json", "url"]
    output_format: Format
    is_stream: bool
    partial_images: int


def read_fields(fields: Mapping[str, Any], pool: ModelPool) -> ImagesRequest:
    """Return the request that some fields ask for.

    Raises:
        ServerError: a field is unknown, missing or invalid.
    """
    rest = {name: value for name, value in fields.items() if value is not None}
    model = _take(rest, "model", str, None)
    prompt = _take(rest, "prompt", str, None)
    if not prompt:
        raise field_mistake("prompt", "the field is required")
    response_format = _choose(rest, "response_format", ("b64_json", "url"))
    output_format = _choose(rest, "output_format", ("png", "jpeg", "webp"))
    is_stream = _take(rest, "stream", bool, False)
    partial_images = _take(rest, "partial_images", int, 0)
    if not 0 <= partial_images <= MAX_PARTIAL_IMAGES:
        raise field_mistake("partial_images", f"expected 0 to {MAX_PARTIAL_IMAGES}")
    summary = pool.summaries.get(model or pool.default)
    publics = summary.inputs if summary else ("prompt",)
    request = _read_request(rest, prompt, publics)
    return ImagesRequest(model, request, response_format, output_format, is_stream, partial_images)


async def read_edit(form: FormData, runner: JobRunner) -> dict[str, Any]:
    """Return the fields of a form for an edit, its pictures as those of our requests.

    Args:
        form: of the client.
        runner: decodes the pictures.

    Raises:
        ServerError: a picture is missing or invalid, or a number is none.
    """
    texts = {
        name: _read_text(name, value)
        for name, value in form.items()
        if isinstance(value, str) and value
    }
    image = await read_file(form, "image", "image[]")
    if image is None:
        raise field_mistake("image", "the field is required")
    return texts | await runner.read(_read_pictures, image, await read_file(form, "mask"))


def _read_request(rest: dict[str, Any], prompt: str, publics: tuple[str, ...]) -> dict[str, Any]:
    """Return the request of the fields that are left: ours, and those of other open servers."""
    inputs = _take(rest, "inputs", dict, {})
    request: dict[str, Any] = {}
    for name, value in rest.items():
        ours = NAMES.get(name, name)
        if name in IGNORED:
            continue
        if name in publics:
            inputs = {**inputs, name: value}
        elif name == "size":
            request |= _read_size(value)
        elif ours in KEYWORDS:
            request[ours] = value
        else:
            hint = suggestion(name, {"inputs", "size", *publics, *KEYWORDS, *NAMES})
            raise mistake(f"there is no field '{name[:80]}'. {hint}", name[:80])
    return {"inputs": {publics[0]: prompt, **inputs}, **request}


def _read_size(value: Any) -> dict[str, Any]:
    if value == "auto":
        return {}
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise field_mistake("size", 'expected "WIDTHxHEIGHT" in pixels, or "auto"')
    return {"size": [int(match[1]), int(match[2])]}


def _read_pictures(image: bytes, mask: bytes | None) -> dict[str, str]:
    """Return the picture to start from, and the mask if a part of either is transparent."""
    fields = {"init_image": f"data:image/png;base64,{base64.b64encode(image).decode()}"}
    repainted = _repainted(image, "image") if mask is None else _repainted(mask, "mask")
    if repainted is not None:
        fields["mask"] = to_data_uri(repainted)
    elif mask is not None:
        raise field_mistake("mask", "it is transparent nowhere, so nothing would be repainted")
    return fields


def _repainted(data: bytes, field: str) -> Image.Image | None:
    """Return our mask of a picture: white where it is transparent; None if it is so nowhere."""
    try:
        picture = read_picture(data)
    except ValueError as error:
        raise field_mistake(field, str(error)) from None
    if not picture.has_transparency_data:
        return None
    mask = ImageOps.invert(picture.convert("RGBA").getchannel("A"))
    return mask if mask.getbbox() else None


def _read_text(name: str, text: str) -> Any:
    """Return the value of a field of a form, where everything is text."""
    kind = int if name in _WHOLE else finite_number if name in _NUMBERS else None
    if kind is not None:
        try:
            return kind(text[:40])
        except ValueError:
            raise field_mistake(name, f"expected a number, got '{text[:40]}'") from None
    if name == "stream":
        return text.lower() == "true"
    return text


def _take(fields: dict[str, Any], name: str, kind: type, default: Any) -> Any:
    value = fields.pop(name, default)
    if value is not default and (
        not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)
    ):
        raise wrong_type(name, value)
    return value


def _choose(fields: dict[str, Any], name: str, values: tuple[str, ...]) -> Any:
    value = fields.pop(name, values[0])
    if value not in values:
        raise field_mistake(name, f"expected one of {', '.join(values)}, got {value!r:.80}")
    return value
