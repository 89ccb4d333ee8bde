"""Adapters: a new condition for a finished denoiser, which stays frozen (arXiv:2308.06721)."""

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.adapter.evaluator import AdapterEvaluator
from latelier.training.adapter.parts import resolve_parts
from latelier.training.configs.adapter import AdapterTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.prediction.plan import plan_prediction


def train_adapter(
    config: AdapterTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train an adapter and its conditioner, and write both to `config.out`/result.

    Raises:
        UnknownNameError: the model, the conditioner or an input is not found.
        CompatibilityError: the denoiser has no cross-attention, the conditioner gives no stream,
            or the name is taken.
        ModelFileError: the model cannot be read.
        InvalidConfigError: a part of the configuration is invalid, or `out` and `resume` disagree.
        InvalidInputError: the name is invalid, or a keyword of `generate`.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_adapter(config, atelier), resume, atelier)


def plan_adapter(config: AdapterTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of an adapter's training.

    Raises:
        LatelierError: see `train_adapter`.
    """
    samples = make_training_samples(config)
    parts = resolve_parts(config, samples, atelier)
    evaluator = AdapterEvaluator(PredictionObjective(parts, config), parts)
    return plan_prediction(evaluator, parts, samples)
