"""The paper's guidance by a picture (Rombach et al., arXiv:2112.10752, appendix C)."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationInfo, WithJsonSchema
from torch import Tensor
from torch.nn.functional import interpolate

from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.frozen import is_trusted
from latelier.contracts.images.modes import to_rgb
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.contracts.images.reading import open_picture
from latelier.contracts.images.types import Image
from latelier.contracts.sampling import Denoise, Predict
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import Scale, cfg
from latelier.diffusion.guidance.energy import apply_energy_guidance

_PICTURE: TypeAdapter[Any] = TypeAdapter(Image)


def _to_data_uri(value: Any, info: ValidationInfo) -> str:
    picture = _PICTURE.validate_python(value, context={"trusted": is_trusted(info)})
    return str(_PICTURE.dump_python(picture, mode="json"))


PictureOption = Annotated[
    str,
    BeforeValidator(_to_data_uri),
    WithJsonSchema({"type": "string", "format": "image"}),
]
"""A picture as an option: any `Image`, stored as a data URI so that provenance can record it."""


def image_guided(
    predict: Predict,
    condition: Condition,
    null: Condition,
    sigmas: SigmaGrid,
    /,
    *,
    target: Annotated[
        PictureOption,
        Field(description="a picture, smaller than the result, for the result to resemble"),
    ],
    strength: Annotated[
        float, Field(gt=0, le=1e6, description="of the squared distance to it; the paper's is 1")
    ] = 1.0,
    scale: Scale = 1.0,
) -> Denoise:
    """Return classifier-free guidance towards pictures that resemble `target` when downsampled.

    So a small picture guides a large one. The energy is half the sum of squares of
    T(decoded x0) - target over the pixels of the target, in [-1, 1]; T is bicubic downsampling to
    its size. See `apply_energy_guidance` for the cost; the gradient of the first stage adds
    to it.

    Raises:
        CompatibilityError: the model has no null condition, for a scale other than 1; or, from
            `denoise`, the run denoises windows, or the model has no gradient.
        InvalidInputError: from `denoise`, the target is larger than the pictures.
    """
    y = _pixels(target)

    def energy(x0: Tensor, _x: Tensor, _sigma: float | Tensor, /) -> Tensor:
        images = predict.decode(x0)
        _check_size(y, images)
        small = interpolate(images, y.shape[2:], mode="bicubic", antialias=True)
        return (small - y.to(small)).square().sum((1, 2, 3)) / 2

    denoise = cfg(predict, condition, null, sigmas, scale=scale)
    return apply_energy_guidance("image_guided", denoise, energy, sigmas.frame, strength)


def _pixels(uri: str) -> Tensor:
    """Return the picture, (1, 3, H, W) in [-1, 1]."""
    return pil_to_tensor(to_rgb(open_picture(uri)))[None]


def _check_size(target: Tensor, images: Tensor) -> None:
    (height, width), (max_height, max_width) = target.shape[2:], images.shape[2:]
    if height > max_height or width > max_width:
        raise InvalidInputError(
            f"guidance 'image_guided': the target is {width}x{height}, larger than the pictures, "
            f"{max_width}x{max_height}"
        )
