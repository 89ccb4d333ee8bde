"""Checking that components fit together, by their configurations alone."""

from collections.abc import Mapping

from latelier.contracts.configs import (
    ConditionerConfig,
    DenoiserConfig,
    FirstStageConfig,
    InputSpec,
    OutputSpec,
)
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.messages import suggestion


def check_composition(
    first_stage: FirstStageConfig,
    denoiser: DenoiserConfig,
    conditioners: Mapping[str, ConditionerConfig],
) -> None:
    """Check that channels, names and widths agree.

    Raises:
        CompatibilityError: lists every mismatch and what would fit.
    """
    faults = []
    if first_stage.latent_channels != denoiser.latent_channels:
        faults.append(
            f"the first stage makes latents of {first_stage.latent_channels} channels, "
            f"the denoiser takes {denoiser.latent_channels}"
        )
    inputs = denoiser.inputs()
    outputs = {name: config.outputs() for name, config in conditioners.items()}
    for name, output in outputs.items():
        faults += _mismatches(name, output, inputs)
    for name in inputs.spatial:
        if name not in outputs:
            reason = "no conditioner has that name"
        elif outputs[name].spatial is None:
            reason = "the conditioner of that name gives none"
        else:
            continue
        faults.append(f"the denoiser takes the spatial part '{name}', and {reason}")
    for name in first_stage.known_inputs:
        if name in conditioners and not conditioners[name].knows_pixels:
            faults.append(
                f"the conditional decoder of the first stage takes the pixels that '{name}' knows, "
                "and the conditioner of that name knows none (one of images needs degradation "
                "'bicubic')"
            )
    if faults:
        raise CompatibilityError("; ".join(faults))


def check_preview_decoder(decoder: FirstStageConfig, first_stage: FirstStageConfig) -> None:
    """Check that a first stage decodes the latents of another one.

    Raises:
        CompatibilityError: its latents have other channels, or another size.
    """
    for name in ("latent_channels", "downsampling"):
        found, expected = getattr(decoder, name), getattr(first_stage, name)
        if found != expected:
            raise CompatibilityError(
                f"the preview decoder has {name} {found}, the first stage {expected}; "
                "it must decode the same latents"
            )


def _mismatches(name: str, output: OutputSpec, inputs: InputSpec) -> list[str]:
    """Return what is wrong with each part that the conditioner `name` gives."""
    widths = {
        "stream": {key: slot.width for key, slot in inputs.streams.items()},
        "spatial": inputs.spatial,
        "vector": inputs.vectors,
    }
    faults = []
    for slot, known in widths.items():
        width = getattr(output, slot)
        if width is None:
            continue
        if name not in known:
            faults.append(
                f"conditioner '{name}' gives a {slot} part, and the denoiser takes none of that "
                f"name. {suggestion(name, known)}"
            )
        elif known[name] != width:
            faults.append(
                f"conditioner '{name}' gives a {slot} part of width {width}, "
                f"the denoiser takes {known[name]}"
            )
    return faults
