"""For which family of models an add-on is, and what differs from the model at hand."""

from collections.abc import Mapping
from typing import Any

from latelier.contracts.errors import CompatibilityError
from latelier.denoisers.configs import UNetConfig

_FAMILIES = {
    ((320, 640, 1280, 1280), 768): "Stable Diffusion 1",
    ((320, 640, 1280, 1280), 1024): "Stable Diffusion 2",
    ((320, 640, 1280), 2048): "Stable Diffusion XL",
    ((384, 768, 1536, 1536), 1280): "the refiner of Stable Diffusion XL",
}
"""(channels of the levels, width of the context) -> name."""


def name_family(config: Any) -> str:
    """Return which family the denoiser of a configuration is of, for messages."""
    if not isinstance(config, UNetConfig):
        return "a model without a UNet"
    key = (tuple(config.widths), config.context_dim or 0)
    return _FAMILIES.get(key, name_unet(config.widths, config.context_dim))


def name_unet(widths: Any, context: int | None = None) -> str:
    """Return what a UNet of these channels is, for messages."""
    end = "" if context is None else f" and a context of {context}"
    return f"a UNet of {', '.join(map(str, widths))} channels{end}"


def check_family(name: str, what: str, expected: Mapping[str, Any], denoiser: Any) -> None:
    """Check that the UNet of a model has the values that an add-on expects.

    Args:
        name: of the adapter.
        what: the kind and the family of the adapter: "a ControlNet for Stable Diffusion 1".
        expected: attribute of `UNetConfig`, or "streams.NAME" or "vectors.NAME" -> its value.
        denoiser: of the model.

    Raises:
        CompatibilityError: the model has others; the error names them.
    """
    config = getattr(denoiser, "config", None)
    found = {key: _read(config, key) for key in expected}
    differences = [
        f"{key.replace('.', ' ')} (expected {value}, found {found[key]})"
        for key, value in expected.items()
        if value != found[key]
    ]
    if differences:
        raise CompatibilityError(
            f"adapter '{name}' is {what}, and this model is {name_family(config)}: different "
            f"are {', '.join(differences)}"
        )


def _read(config: Any, key: str) -> Any:
    """Return a value of a configuration, None where there is none."""
    attribute, _, entry = key.partition(".")
    value = getattr(config, attribute, None)
    if not entry:
        return value
    found = value.get(entry) if isinstance(value, Mapping) else None
    return getattr(found, "width", found)
