"""Distillation: a LoRA with which a model needs few steps and no guidance (arXiv:2202.00512)."""

from dataclasses import replace
from typing import Any

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.configs.distillation import DistillationTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.distillation.evaluator import DistillationEvaluator
from latelier.training.distillation.objective import DistillationObjective
from latelier.training.distillation.teacher import Teacher
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.lora.parts import LoraParts, resolve_parts
from latelier.training.lora.train import describe_lora
from latelier.training.prediction.plan import plan_prediction


def train_distillation(
    config: DistillationTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Distill a model into a LoRA and write it to `config.out`/result.

    Raises:
        InvalidConfigError: the model's sampler draws noise.
        LatelierError: see also `train_lora`.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_distillation(config, atelier), resume, atelier)


def plan_distillation(config: DistillationTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a distillation.

    Raises:
        LatelierError: see `train_distillation`.
    """
    samples = make_training_samples(config)
    parts = resolve_parts(config, samples, atelier)
    parts = replace(parts, loaded=replace(parts.loaded, defaults=student_defaults(parts, config)))
    objective = DistillationObjective(parts, config)
    evaluator = DistillationEvaluator(objective, parts, config)
    notes = [describe_lora(parts.lora), describe_steps(objective.teacher)]
    return plan_prediction(evaluator, parts, samples, notes)


def student_defaults(parts: LoraParts, config: DistillationTraining) -> dict[str, Any]:
    """Return the defaults of requests with the LoRA: the student's Euler steps, unguided."""
    schedule = parts.base.defaults.schedule.model_dump(mode="json")
    return {
        "steps": config.student_steps,
        "sampler": "euler",
        "schedule": schedule,
        "guidance": 1.0,
    }


def describe_steps(teacher: Teacher) -> str:
    """Return what the student learns."""
    guidance = teacher.guidance
    options = ", ".join(f"{name} {value}" for name, value in guidance.options.items())
    return (
        f"{teacher.student_sigmas.steps} steps for {teacher.path.steps} of the model with guidance "
        f"'{guidance.name}'" + (f" ({options})" if options else "")
    )
