"""The loss of a distillation: each step of the student ends where the teacher's path does.

The student learns `student_steps` Euler steps without guidance, from noised data at the beginning
of each. Its target is the x0 with which one Euler step leads to where the teacher arrives in many:
progressive distillation (Salimans and Ho, arXiv:2202.00512, algorithm 2), with all of the teacher's
steps at once, as its map is known from the beginning to the end of a step.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from latelier.contracts import frames
from latelier.contracts.condition import Condition
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.distillation.teacher import Teacher, euler_x0
from latelier.training.lora.parts import LoraParts
from latelier.training.prediction.objective import Example, PredictionObjective
from latelier.training.randomness import Draws, Purpose


class DistillationObjective(PredictionObjective):
    """The weighted squared error against the teacher.

    Attributes:
        teacher: The model without the LoRA.
    """

    def __init__(self, parts: LoraParts, config: DistillationTraining) -> None:
        super().__init__(parts, config)
        self.teacher = Teacher(parts.base, config)

    @override
    def make_example(
        self,
        batch: Mapping[str, Any],
        latents: Tensor,
        condition: Condition,
        kept: Mapping[str, Tensor],
        draws: Draws,
    ) -> Example:
        """Return x at the beginning of a step of the student, and what leads to its end.

        All samples of a training step have the same step of the student.
        """
        sigmas = self.teacher.student_sigmas
        uniform = Draws(draws.seed, draws.step, [0]).uniform(Purpose.TIME).item()
        segment = self.teacher.segment(int(uniform * sigmas.steps))
        start, end = segment[0], segment[-1]
        eps = draws.normal(Purpose.NOISE, latents.shape[1:], latents.device)
        x = self.process.noised(latents, eps, start)
        negative = self.encode_condition(self.conditioning.negative_batch(batch), kept)
        x0 = euler_x0(x, self.teacher.sample(x, condition, negative, segment), start, end)
        eps = (x - frames.alpha(self.process.frame, start) * x0) / start
        return Example(x, x0, eps, torch.full((len(x),), start, dtype=torch.float64))
