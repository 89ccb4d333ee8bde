"""The plan that the trainings on predictions share."""

from collections.abc import Sequence
from pathlib import Path

from latelier.training.components import pin_components
from latelier.training.conditioning import fit_conditioners
from latelier.training.data.datasets import use_cache, use_features
from latelier.training.data.samples import TrainingSamples
from latelier.training.loop.plan import TrainingPlan
from latelier.training.prediction.description import describe_loss, describe_noise
from latelier.training.prediction.evaluator import PredictionEvaluator
from latelier.training.prediction.parts import PredictionParts


def plan_prediction(
    evaluator: PredictionEvaluator,
    parts: PredictionParts,
    samples: TrainingSamples,
    notes: Sequence[str] = (),
) -> TrainingPlan:
    """Return the plan of a training on predictions, after checking its samples.

    Args:
        evaluator: of the objective to train.
        parts: of the objective.
        samples: with pictures; those of a cache replace them.
        notes: lines about what is trained, after those about the loss.

    Raises:
        LatelierError: the samples lack a field, or the cache does not fit.
    """
    objective = evaluator.objective
    config = objective.config

    _, name = config.locate_first_stage()
    cached = use_cache(samples, config, parts.first_stage, name, parts.frozen)
    cached = use_features(cached, config.data, parts.frozen)
    cached.check_fields(objective.list_fields())

    def initialize(out: Path, is_new: bool) -> None:
        samples.store_manifests(out)
        pin_components(out, is_new, parts.fixed)
        fit_conditioners(
            parts.learners,
            parts.sources,
            cached,  # without composing or reading pictures
            config.fit_samples,
            out,
            is_new,
            parts.fitted,
        )

    return TrainingPlan(
        config,
        evaluator,
        cached.with_preparation(objective.prepare_samples),
        initialize,
        samples.name_of,
        [
            describe_loss(objective.process, config.loss),
            describe_noise(objective.noise, objective.process, evaluator.geometry),
            *objective.conditioning.describe(),
            *notes,
        ],
    )
