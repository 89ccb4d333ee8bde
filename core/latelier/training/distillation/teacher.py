"""The teacher of a distillation: the model, as it samples by default."""

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
from latelier.pipeline.request import NamedOptions
from latelier.training.configs.distillation import DistillationTraining


class Teacher:
    """A frozen model with its sampler, schedule and guidance.

    Attributes:
        student_sigmas: Noise levels of the student's steps.
        guidance: The guidance rule with its options.
    """

    def __init__(self, base: Pipeline, config: DistillationTraining) -> None:
        """Create the teacher.

        Raises:
            InvalidConfigError: the model's sampler draws noise, so that it has no one path.
            UnknownNameError: the guidance rule is not registered.
            InvalidInputError: an option of it is invalid.
        """
        atelier, defaults = base.atelier, base.defaults
        self._predict = Predictor(base.denoiser, base.process, torch.float32, base.first_stage)
        self._sampler: Sampler = _bind(defaults.sampler, atelier.samplers)
        if draws_noise(self._sampler):
            raise InvalidConfigError(
                f"model: its sampler '{defaults.sampler.name}' draws noise; expected a model whose "
                "default sampler is deterministic, such as dpmpp_2m"
            )
        schedule = _bind(defaults.schedule, atelier.schedules)
        self.guidance = config.guidance or defaults.guidance
        self._guide = _bind(self.guidance, atelier.guidances)
        geometry = PictureGeometry.of_picture(*defaults.size, base.first_stage)
        self.student_sigmas, self._sigmas = (
            run_schedule(schedule, steps, base.process, geometry)
            for steps in (config.student_steps, config.teacher_steps)
        )

    def segment(self, step: int) -> SigmaGrid:
        """Return the teacher's sigmas from the beginning to the end of a step of the student."""
        high, low = self.student_sigmas[step], self.student_sigmas[step + 1]
        between = [sigma for sigma in self._sigmas if low < sigma < high]
        return SigmaGrid((high, *between, low), self._sigmas.frame)

    @property
    def path(self) -> SigmaGrid:
        """The teacher's sigmas of all the student's steps."""
        segments = [self.segment(step) for step in range(self.student_sigmas.steps)]
        starts = [sigma for segment in segments for sigma in segment[:-1]]
        return SigmaGrid((*starts, self.student_sigmas[-1]), self._sigmas.frame)

    @torch.no_grad()
    def sample(
        self, x: Tensor, condition: Condition, negative: Condition, sigmas: SigmaGrid
    ) -> Tensor:
        """Return x (B, C, h, w) at the last of `sigmas`, from x at the first."""
        denoise = self._guide(self._predict, condition, negative, sigmas)
        *_, last = run_sampler(self._sampler, denoise, x, sigmas)
        return last.x


def euler_x0(x: Tensor, end: Tensor, sigma: float, sigma_end: float) -> Tensor:
    """Return the x0 with which one Euler step leads from x at `sigma` to `end` at `sigma_end`.

    In either frame dx/dsigma = (x - x0) / sigma.
    """
    return x - sigma * (end - x) / (sigma_end - sigma)


def _bind(choice: NamedOptions, registry: Registry[Any]) -> Callable[..., Any]:
    return choice.resolve(registry).bind(registry)
