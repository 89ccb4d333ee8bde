"""A model, or a first stage alone, as a configuration without weights."""

from typing import Any

from pydantic import Field

from latelier.contracts.frozen import Frozen


class PresetPart(Frozen):
    """A component to build."""

    id: str = Field(description="bare or full id, such as 'latelier/unet'")
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")
    parameters: int | None = Field(
        default=None, ge=0, description="number of its parameters; None: unknown"
    )

    @property
    def piece(self) -> tuple[str, dict[str, Any]]:
        """The id and the configuration, as `compose` takes them."""
        return self.id, self.config


class Preset(Frozen):
    """A model that `compose` can build, and a human-readable description."""

    description: str = Field(default="", description="one human-readable line, with the source")
    task: str = Field(default="", description="its inputs, such as 'text to image'")
    first_stage: PresetPart
    denoiser: PresetPart | None = Field(default=None, description="None: a first stage alone")
    conditioners: dict[str, PresetPart] = Field(default_factory=dict)
    inputs: dict[str, str | tuple[str, ...]] | None = Field(
        default=None, description="public input -> conditioners; None: each conditioner is an input"
    )
    process: dict[str, Any] = Field(
        default_factory=dict, description="fields of the noise process, with its `kind`"
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="defaults of the pipeline; `size` at least"
    )

    def parts(self) -> dict[str, PresetPart]:
        """Return each part by its place in a pipeline."""
        denoiser = {} if self.denoiser is None else {"denoiser": self.denoiser}
        conditioners = {f"conditioners.{name}": part for name, part in self.conditioners.items()}
        return {"first_stage": self.first_stage, **denoiser, **conditioners}

    @property
    def parameters(self) -> int | None:
        """The number of parameters of all parts; None where one is unknown."""
        counts = [part.parameters for part in self.parts().values()]
        return None if None in counts else sum(count or 0 for count in counts)
