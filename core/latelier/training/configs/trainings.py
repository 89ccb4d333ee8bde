"""Configurations of the three trainings, read from YAML and written to it."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import Field

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.frozen import Frozen, validate
from latelier.denoisers.configs import ProjectionConfig
from latelier.training.configs.parts import (
    ComponentChoice,
    ConditionerChoice,
    DataConfig,
    InputSource,
    OptimizerConfig,
    Precision,
    TermName,
)

C = TypeVar("C", bound="Training")


class Training(Frozen):
    """The fields of every training."""

    out: Path = Field(description="folder of the run")
    data: DataConfig = DataConfig()
    seed: int = Field(
        default=0, ge=0, lt=2**64, description="seed of weights, times, noise and drop-out"
    )
    steps: int = Field(ge=1, description="optimizer steps")
    batch_size: int = Field(default=64, ge=1)
    optimizer: OptimizerConfig = OptimizerConfig()
    precision: Precision = "32-true"
    channels_last: bool = Field(default=False, description="memory format of the convolutions")
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    workers: int = Field(
        default=0, ge=0, description="processes that load data; 0 loads in the main process"
    )
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    log_every: int = Field(default=50, ge=1, description="logging interval in steps")
    checkpoint_seconds: float = Field(
        default=120.0, gt=0, description="checkpoint interval in seconds"
    )
    sheet_every: int = Field(default=1000, ge=1, description="sample sheet interval in steps")


class FirstStageTraining(Training):
    """Stage one: an autoencoder of images."""

    first_stage: ComponentChoice
    terms: dict[TermName, float] = Field(
        default={"absolute": 1.0, "edges": 1.0},
        description="weight of each term of the reconstruction loss",
    )
    kl_weight: float = Field(
        default=1e-6, ge=0, description="weight of the mean KL of a latent number"
    )
    measured_scenes: int = Field(
        default=512, ge=1, description="held-out scenes whose latents determine scale_factor"
    )


class PredictionTraining(Training):
    """The fields of trainings on a denoiser's predictions."""

    gradient_checkpointing: bool = Field(
        default=False,
        description="recompute the denoiser's activations in the backward pass: far less memory "
        "for about a third more time",
    )
    drop_all: float = Field(
        default=0.0, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    fit_samples: int = Field(
        default=20_000, ge=1, description="training samples that conditioners are fitted on"
    )


class DenoiserTraining(PredictionTraining):
    """Stage two: a denoiser and its conditioners on the latents of a trained first stage."""

    first_stage: str = Field(description="component folder, or a model that has the first stage")
    start_from: str | None = Field(
        default=None, description="model that provides the initial weights"
    )
    denoiser: ComponentChoice
    conditioners: dict[str, ConditionerChoice] = Field(default_factory=dict)
    process: dict[str, Any] = Field(description="noise process: its kind and fields")
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="the pipeline's defaults: steps, sampler, schedule, guidance",
    )
    description: str = Field(default="", description="one line, stored with the pipeline")


class AdapterTraining(PredictionTraining):
    """An adapter and its conditioner for the denoiser of a finished model."""

    model: str = Field(description="embedded name or folder of the model; it stays frozen")
    name: str = Field(description="name of the adapter, and of the input that it adds")
    conditioner: ConditionerChoice = Field(description="gives the stream that the adapter takes")
    projection: ProjectionConfig | None = Field(
        default=None, description="projects the stream to other tokens; null: none"
    )
    inputs: dict[str, InputSource] = Field(
        default_factory=dict,
        description="the model's own inputs that training provides; the others are null",
    )
    drop_all: float = Field(
        default=0.05, ge=0, le=1, description="probability of dropping all inputs at once"
    )
    description: str = Field(default="", description="one line, stored with the adapter")
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts about it: data, licence, measurements"
    )


def read_training(path: str | Path, model: type[C]) -> C:
    """Read a configuration from a YAML file.

    Raises:
        InvalidConfigError: the file is missing or not YAML, or a field is invalid; the error names
            file and field.
    """
    file = Path(path)
    return validate(model, read_yaml(file), str(file))


def to_yaml(config: Training) -> str:
    """Return a configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
