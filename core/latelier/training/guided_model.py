"""A finished model that samples in a training, as it does by default."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.sampling import Sampler, draws_noise, run_sampler, run_schedule
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.predict import Predictor
from latelier.kernel.registry import Registry
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.request import GuidanceOptions, NamedOptions


class GuidedModel:
    """A frozen model with its sampler, schedule and guidance.

    Attributes:
        guidance: The guidance rule with its options.
    """

    def __init__(self, base: Pipeline, guidance: GuidanceOptions | None) -> None:
        """Create the model; without `guidance` with its default.

        Raises:
            InvalidConfigError: its sampler draws noise, so that it has no one path.
            UnknownNameError: the guidance rule is not registered.
            InvalidInputError: an option of it is invalid.
        """
        atelier, defaults = base.atelier, base.defaults
        self._base = base
        self._predict = Predictor(base.denoiser, base.process, torch.float32, base.first_stage)
        self._sampler: Sampler = _bind(defaults.sampler, atelier.samplers)
        if draws_noise(self._sampler):
            raise InvalidConfigError(
                f"model: its sampler '{defaults.sampler.name}' draws noise; expected a model whose "
                "default sampler is deterministic, such as dpmpp_2m"
            )
        self.guidance = guidance or defaults.guidance
        self._guide = _bind(self.guidance, atelier.guidances)

    def schedule(self, steps: int, geometry: PictureGeometry | None = None) -> SigmaGrid:
        """Return the sigmas of `steps` steps, by default for a picture of the model's size."""
        base = self._base
        geometry = geometry or PictureGeometry.of_picture(*base.defaults.size, base.first_stage)
        schedule = _bind(base.defaults.schedule, base.atelier.schedules)
        return run_schedule(schedule, steps, base.process, geometry)

    @torch.no_grad()
    def sample(
        self, x: Tensor, condition: Condition, negative: Condition, sigmas: SigmaGrid
    ) -> Tensor:
        """Return x (B, C, h, w) at the last of `sigmas`, from x at the first."""
        denoise = self._guide(self._predict, condition, negative, sigmas)
        *_, last = run_sampler(self._sampler, denoise, x, sigmas)
        return last.x


def _bind(choice: NamedOptions, registry: Registry[Any]) -> Callable[..., Any]:
    return choice.resolve(registry).bind(registry)
