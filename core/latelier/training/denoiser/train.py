"""Stage two: a denoiser and its conditioners, on latents (arXiv:2112.10752, section 3.2)."""

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.datasets import make_training_samples
from latelier.training.denoiser.evaluator import DenoiserEvaluator
from latelier.training.denoiser.parts import resolve_parts
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult
from latelier.training.prediction.objective import PredictionObjective
from latelier.training.prediction.plan import plan_prediction


def train_denoiser(
    config: DenoiserTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a denoiser and write a complete pipeline to `config.out`/result.

    Raises:
        UnknownNameError: a component is not registered, or the first stage or model not found.
        CompatibilityError: the components do not fit together.
        ModelFileError: the first stage or model cannot be read.
        InvalidConfigError: a part of the configuration is invalid, `out` and `resume` disagree, or
            the weights of the model to start from do not fit.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_denoiser(config, atelier), resume, atelier)


def plan_denoiser(config: DenoiserTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a denoiser's training.

    Raises:
        LatelierError: see `train_denoiser`.
    """
    samples = make_training_samples(config)
    parts = resolve_parts(config, samples, atelier)
    evaluator = DenoiserEvaluator(PredictionObjective(parts, config), parts, atelier)
    frozen = [name for name in parts.conditioners if f"conditioners.{name}" in parts.fixed]
    notes = [f"frozen conditioners: {', '.join(frozen)}"] if frozen else []
    return plan_prediction(evaluator, parts, samples, notes)
