"""Do components fit together? Asked of their configurations, before any weight is read."""

from collections.abc import Mapping

from latelier.contracts.configs import (
    ConditionerConfig,
    DenoiserConfig,
    FirstStageConfig,
    InputSpec,
    OutputSpec,
)
from latelier.contracts.errors import CompatibilityError, suggestion


def check_composition(
    first_stage: FirstStageConfig,
    denoiser: DenoiserConfig,
    conditioners: Mapping[str, ConditionerConfig],
) -> None:
    """Check that channels, names and widths agree.

    Raises:
        CompatibilityError: lists everything that does not fit, and what would.
    """
    faults = []
    if first_stage.latent_channels != denoiser.latent_channels:
        faults.append(
            f"the first stage gives latents of {first_stage.latent_channels} channels, "
            f"the denoiser takes {denoiser.latent_channels}"
        )
    takes = denoiser.inputs()
    gives = {name: config.outputs() for name, config in conditioners.items()}
    for name, given in gives.items():
        faults += _mismatches(name, given, takes)
    for name in takes.spatial:
        if name not in gives or gives[name].spatial is None:
            who = (
                "the conditioner of that name gives none"
                if name in gives
                else "no conditioner has that name"
            )
            faults.append(f"the denoiser takes the spatial part '{name}', and {who}")
    if faults:
        raise CompatibilityError("; ".join(faults))


def _mismatches(name: str, gives: OutputSpec, takes: InputSpec) -> list[str]:
    wanted = {
        "stream": {key: slot.width for key, slot in takes.streams.items()},
        "spatial": takes.spatial,
        "vector": takes.vectors,
    }
    faults = []
    for slot, known in wanted.items():
        given = getattr(gives, slot)
        if given is None:
            continue
        if name not in known:
            faults.append(
                f"conditioner '{name}' gives a {slot} part, and the denoiser takes none of that "
                f"name. {suggestion(name, known)}"
            )
        elif known[name] != given:
            faults.append(
                f"conditioner '{name}' gives a {slot} part of width {given}, "
                f"the denoiser takes {known[name]}"
            )
    return faults
