"""The teacher of a distillation: the model, as it samples by default."""

from torch import Tensor

from latelier.contracts.sigma_grid import SigmaGrid
from latelier.pipeline.pipeline import Pipeline
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.guided_model import GuidedModel


class Teacher(GuidedModel):
    """A frozen model, and the steps of it that a step of the student stands for.

    Attributes:
        student_sigmas: Noise levels of the student's steps.
    """

    def __init__(self, base: Pipeline, config: DistillationTraining) -> None:
        """Create the teacher.

        Raises:
            LatelierError: see `GuidedModel`.
        """
        super().__init__(base, config.guidance)
        self.student_sigmas = self.schedule(config.student_steps)
        self._sigmas = self.schedule(config.teacher_steps)

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


def euler_x0(x: Tensor, end: Tensor, sigma: float, sigma_end: float) -> Tensor:
    """Return the x0 with which one Euler step leads from x at `sigma` to `end` at `sigma_end`.

    In either frame dx/dsigma = (x - x0) / sigma.
    """
    return x - sigma * (end - x) / (sigma_end - sigma)
