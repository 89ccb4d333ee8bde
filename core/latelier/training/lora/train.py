"""LoRAs: low-rank changes of a finished model, which stays frozen (arXiv:2106.09685)."""

from latelier.checkpoints.lora.lora import Lora
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.configs.lora import LoraTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.lora.evaluator import LoraEvaluator
from latelier.training.lora.parts import resolve_parts
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.prediction.plan import plan_prediction


def train_lora(
    config: LoraTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a LoRA and write it to `config.out`/result.

    Raises:
        UnknownNameError: the model or an input is not found.
        ModelFileError: the model cannot be read.
        InvalidConfigError: a target names no layer or has too high a rank, another part of the
            configuration is invalid, or `out` and `resume` disagree.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_lora(config, atelier), resume, atelier)


def plan_lora(config: LoraTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a LoRA's training.

    Raises:
        LatelierError: see `train_lora`.
    """
    samples = make_training_samples(config)
    parts = resolve_parts(config, samples, atelier)
    evaluator = LoraEvaluator(PredictionObjective(parts, config), parts, config)
    return plan_prediction(evaluator, parts, samples, [describe_lora(parts.lora)])


def describe_lora(lora: Lora) -> str:
    """Return how many layers a LoRA changes, its ranks and its parameters."""
    changes = lora.layers.values()
    ranks = ", ".join(str(rank) for rank in sorted({change.rank for change in changes}))
    count = sum(each.numel() for each in lora.parameters())
    return f"LoRA of {len(changes)} layers, rank {ranks}: {count:,} parameters"
