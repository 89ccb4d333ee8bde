"""What a training on a denoiser's predictions works on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from torch import nn

from latelier.checkpoints.component import Component
from latelier.diffusion.processes.process import Process
from latelier.training.configs.components import InputSource
from latelier.training.data.features.values import FrozenConditions


@dataclass(frozen=True, kw_only=True)
class PredictionParts:
    """The components of a training on predictions, and what happens to each.

    Attributes:
        first_stage: Makes the latents; stays as it is.
        denoiser: Predicts.
        conditioners: By the names under which the denoiser takes them.
        process: The noise process.
        sources: Source and drop-out of the conditioners' inputs, by their names.
        trained: The modules that are trained, by their names in checkpoints.
        adapters: Those that take part in every prediction, by name.
        fixed: The components that are not trained, by their places in a pipeline.
        learners: Conditioners that learn from data before the first step, by name.
        fitted: Names of learners that come from a model; what they learnt is only extended.
        constant: Conditioners whose outputs stay the same throughout the training, by name.
        origin: The model that the constant ones come from, for messages.
    """

    first_stage: Component
    denoiser: Component
    conditioners: Mapping[str, Component]
    process: Process
    sources: Mapping[str, InputSource]
    trained: Mapping[str, nn.Module]
    adapters: Mapping[str, nn.Module] = field(default_factory=dict)
    fixed: Mapping[str, Component]
    learners: Mapping[str, Component] = field(default_factory=dict)
    fitted: Collection[str] = ()
    constant: Mapping[str, Component]
    origin: str

    @property
    def frozen(self) -> FrozenConditions:
        """The conditioners whose outputs a cache can hold."""
        sources = {name: each.source for name, each in self.sources.items()}
        return FrozenConditions(self.constant, self.origin, sources)
