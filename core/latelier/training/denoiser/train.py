"""Stage two: a denoiser and its conditioners, on latents (arXiv:2112.10752, section 3.2)."""

from pathlib import Path

from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.pipeline.storage.sources import DEFAULT_MODEL
from latelier.training.components import pin_components
from latelier.training.conditioning import check_sources, fit_conditioners
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.data.datasets import make_training_samples, use_cache, use_features
from latelier.training.data.features.values import FrozenConditions
from latelier.training.denoiser.components import resolve_parts
from latelier.training.denoiser.objective import DenoiserObjective
from latelier.training.loop.loop import run_training
from latelier.training.loop.plan import TrainingPlan
from latelier.training.loop.run import Resume, TrainingResult


def train_denoiser(
    config: DenoiserTraining, *, resume: Resume = False, atelier: Atelier | None = None
) -> TrainingResult:
    """Train a denoiser and write a complete pipeline to `config.out`/result.

    Raises:
        UnknownNameError: a component is not registered, or the first stage or model not found.
        CompatibilityError: the components do not fit together.
        ModelFileError: the first stage or model cannot be read.
        InvalidConfigError: a part of the configuration is invalid, `out` and `resume` disagree, or
            the model to start from has another configuration.
    """
    atelier = atelier or default_atelier()
    return run_training(plan_denoiser(config, atelier), resume, atelier)


def list_frozen(config: DenoiserTraining, atelier: Atelier) -> FrozenConditions:
    """Return the conditioners whose outputs a cache can hold.

    Raises:
        LatelierError: see `train_denoiser`.
    """
    sample = make_training_samples(config)[0]
    return resolve_parts(config, sample, atelier).frozen(config)


def plan_denoiser(config: DenoiserTraining, atelier: Atelier) -> TrainingPlan:
    """Build and check the parts of a denoiser's training.

    Raises:
        LatelierError: see `train_denoiser`.
    """
    dataset = make_training_samples(config)
    sample = dataset[0]
    parts = resolve_parts(config, sample, atelier)
    check_sources(parts.sources, dataset.list_fields(), "conditioner")
    objective = DenoiserObjective(parts, config, atelier)

    def initialize(out: Path, is_new: bool) -> None:
        dataset.store_manifests(out)
        pin_components(out, is_new, parts.fixed(config))
        fit_conditioners(
            parts.conditioners,
            parts.sources,
            dataset,
            config.fit_samples,
            out,
            is_new,
            parts.fitted,
        )

    name = config.first_stage or config.start_from or DEFAULT_MODEL
    samples = use_cache(dataset, config.data, parts.first_stage, name)
    samples = use_features(samples, config.data, parts.frozen(config))
    samples.check_fields(objective.conditioning.list_fields())
    usable = samples.with_preparation(objective.prepare_sample)
    return TrainingPlan(config, objective, usable, initialize, dataset.name_of)
