"""A model, or a first stage alone, as a configuration that weights can be built for."""

from typing import Any

from pydantic import Field

from latelier.contracts.frozen import Frozen


class PresetPart(Frozen):
    """A component to build."""

    id: str = Field(description="bare or full id, such as 'latelier/unet'")
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")
    parameters: int | None = Field(
        default=None, ge=0, description="how many it has, where that is known"
    )

    @property
    def piece(self) -> tuple[str, dict[str, Any]]:
        """What `compose` builds it from."""
        return self.id, self.config


class Preset(Frozen):
    """What `compose` needs, and what people want to know of it."""

    description: str = Field(default="", description="one line for people, with the source")
    task: str = Field(default="", description="what it makes pictures from")
    first_stage: PresetPart
    denoiser: PresetPart | None = Field(default=None, description="None: a first stage alone")
    conditioners: dict[str, PresetPart] = Field(default_factory=dict)
    inputs: dict[str, str | tuple[str, ...]] | None = Field(
        default=None, description="public input -> conditioners; None: each is one itself"
    )
    process: dict[str, Any] = Field(default_factory=dict, description="noise process, its `kind`")
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="what the pipeline does unasked; `size` at least"
    )

    def parts(self) -> dict[str, PresetPart]:
        """Return every part by the place it has in a pipeline."""
        denoiser = {} if self.denoiser is None else {"denoiser": self.denoiser}
        conditioners = {f"conditioners.{name}": part for name, part in self.conditioners.items()}
        return {"first_stage": self.first_stage, **denoiser, **conditioners}

    @property
    def parameters(self) -> int | None:
        """How many parameters all parts have together, where that is known of each."""
        counts = [part.parameters for part in self.parts().values()]
        return None if None in counts else sum(count or 0 for count in counts)
