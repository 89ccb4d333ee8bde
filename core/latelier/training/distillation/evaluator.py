"""Validation, sample sheets and export of a distillation."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from latelier.contracts.condition import Condition
from latelier.training.conditioning import to_device
from latelier.training.distillation.objective import DistillationObjective
from latelier.training.lora.evaluator import LoraEvaluator
from latelier.training.randomness import Draws, Purpose


class DistillationEvaluator(LoraEvaluator):
    """Compares the student's pictures with the teacher's, of the same noise."""

    objective: DistillationObjective

    @override
    def validate(self) -> dict[str, float]:
        """Return the errors of latents that the student samples from held-out inputs.

        "path_error" is the mean square of their difference to the teacher's, in units of the
        variance of the teacher's; "path_error_without" that of the teacher in as few steps.
        """
        teacher = self.objective.teacher
        errors = torch.zeros(2, dtype=torch.float64)
        variance = torch.zeros((), dtype=torch.float64)
        for noise, condition, negative in self._runs():
            x = self.objective.process.initial(noise, teacher.path[0])
            reference = teacher.sample(x, condition, negative, teacher.path)
            few = teacher.sample(x, condition, negative, teacher.student_sigmas)
            for k, found in enumerate((self.sample(x, condition), few)):
                errors[k] += (found - reference).double().square().sum().cpu()
            variance += (reference - reference.mean()).double().square().sum().cpu()
        student, without = (errors / variance).tolist()
        return {"path_error": student, "path_error_without": without}

    def sample(self, x: Tensor, condition: Condition) -> Tensor:
        """Return the latents (B, C, h, w) that the student samples from the first x."""
        sigmas = self.objective.teacher.student_sigmas
        for sigma, sigma_next in pairwise(sigmas):
            levels = torch.full((len(x),), sigma, dtype=torch.float64)
            x0 = self.objective.predict_x0(condition, x, levels)
            x = x + (sigma_next - sigma) * (x - x0) / sigma
        return x

    def _runs(self) -> Iterator[tuple[Tensor, Condition, Condition]]:
        """Yield noise, condition and negative condition of batches of held-out samples."""
        objective = self.objective
        for prepared in self._batches:
            batch: dict[str, Any] = to_device(prepared, objective.device)
            latents: Tensor = batch["latents"]
            kept = objective.conditioning.keep_all(len(latents))
            condition = objective.encode_condition(batch, kept)
            negative = objective.encode_condition(
                objective.conditioning.negative_batch(batch), kept
            )
            draws = Draws(0, 0, batch["index"])
            yield (
                draws.normal(Purpose.NOISE, latents.shape[1:], latents.device),
                condition,
                negative,
            )
