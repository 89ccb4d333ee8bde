"""Configurations of the trainings, and their reading from YAML."""

from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import Field

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.frozen import Frozen, validate
from latelier.denoisers.configs import ProjectionConfig

C = TypeVar("C", bound="Training")

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
"""Lightning Fabric's names: weights are float32 in all; `mixed` computes in 16 bits."""


TermName = Literal["absolute", "squared", "edges"]
"""The terms of the reconstruction loss (see `losses`)."""


class ComponentSpec(Frozen):
    """A component to build: its id in the registry and its configuration."""

    id: str = Field(description="bare or full id, such as 'unet' or 'latelier/unet'")
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")


class DataSpec(Frozen):
    """The scenes to train on; sample k of the run is scene k of the seed."""

    dataset: Literal["emoji_scenes"] = "emoji_scenes"
    config: dict[str, Any] = Field(default_factory=dict, description="fields of its config")
    seed: int = Field(default=0, ge=0, description="seed of the training scenes")
    held_out_seed: int = Field(default=1_000_003, ge=0, description="seed of the scenes for sheets")


class OptimizerSpec(Frozen):
    """AdamW (arXiv:1711.05101) under linear warm-up and cosine decay."""

    lr: float = Field(default=1e-4, gt=0, description="highest learning rate")
    final_lr: float = Field(
        default=0.05, ge=0, le=1, description="last learning rate, in units of lr"
    )
    warmup: int = Field(default=500, ge=0, description="steps of linear warm-up")
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float = Field(default=1.0, gt=0, description="greatest norm of the gradient")


class Training(Frozen):
    """What all trainings share."""

    out: Path = Field(description="folder of the run")
    data: DataSpec = DataSpec()
    seed: int = Field(
        default=0, ge=0, lt=2**64, description="of weights, times, noise and drop-out"
    )
    steps: int = Field(ge=1, description="optimizer steps")
    batch_size: int = Field(default=64, ge=1)
    optimizer: OptimizerSpec = OptimizerSpec()
    precision: Precision = "32-true"
    channels_last: bool = Field(default=False, description="memory format of the convolutions")
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    workers: int = Field(
        default=0, ge=0, description="processes that load data beside the main one"
    )
    accelerator: str = Field(
        default="auto", description="Lightning Fabric's accelerator: auto, cpu, cuda"
    )
    log_every: int = Field(default=50, ge=1, description="steps between two lines of the log")
    checkpoint_seconds: float = Field(
        default=120.0, gt=0, description="seconds between two checkpoints"
    )
    sheet_every: int = Field(default=1000, ge=1, description="steps between two sample sheets")


class FirstStageTraining(Training):
    """Stage one: an autoencoder on images."""

    first_stage: ComponentSpec
    terms: dict[TermName, float] = Field(
        default={"absolute": 1.0, "edges": 1.0},
        description="weight of each term of the reconstruction loss",
    )
    kl_weight: float = Field(
        default=1e-6, ge=0, description="weight of the mean KL of a latent number"
    )
    measured_scenes: int = Field(
        default=512, ge=1, description="held-out scenes whose latents give scale_factor at the end"
    )


class InputSpec(Frozen):
    """Where an input comes from, and how often training drops it."""

    source: str = Field(description="field of a data sample that it is given, such as 'prompt'")
    drop: float = Field(
        default=0.1, ge=0, le=1, description="probability of its null part in its place"
    )


class ConditionerSpec(ComponentSpec, InputSpec):
    """A conditioner, where its inputs come from, and how often training drops it."""


class PredictionTraining(Training):
    """What trainings on a denoiser's predictions share."""

    gradient_checkpointing: bool = Field(
        default=False,
        description="make the denoiser's activations again in the backward pass instead of keeping "
        "them: far less memory for about a third more time",
    )
    drop_all: float = Field(
        default=0.0, ge=0, le=1, description="probability of dropping all at once"
    )
    fit_samples: int = Field(
        default=20_000, ge=1, description="training samples that conditioners are fitted on"
    )


class DenoiserTraining(PredictionTraining):
    """Stage two: a denoiser and its conditioners on the latents of a trained first stage."""

    first_stage: str = Field(description="component folder, or a model that has the first stage")
    start_from: str | None = Field(
        default=None, description="model whose denoiser and conditioners to begin with"
    )
    denoiser: ComponentSpec
    conditioners: dict[str, ConditionerSpec] = Field(default_factory=dict)
    process: dict[str, Any] = Field(description="noise process: its kind and fields")
    defaults: dict[str, Any] = Field(
        default_factory=dict,
        description="what the pipeline does unasked: steps, sampler, schedule, guidance",
    )
    description: str = Field(
        default="", description="one line for people, stored with the pipeline"
    )


class AdapterTraining(PredictionTraining):
    """An adapter, and its conditioner, for the denoiser of a finished model."""

    model: str = Field(description="embedded name or folder of the model it is for; it is frozen")
    name: str = Field(description="of the adapter, and of the input that it brings")
    conditioner: ConditionerSpec = Field(description="gives a stream, which the adapter takes")
    projection: ProjectionConfig | None = Field(
        default=None, description="makes other tokens of the stream's; null: they are taken as is"
    )
    inputs: dict[str, InputSpec] = Field(
        default_factory=dict,
        description="the model's own inputs that it is told beside; the others are always null",
    )
    drop_all: float = Field(
        default=0.05, ge=0, le=1, description="probability of dropping all at once"
    )
    description: str = Field(default="", description="one line for people, stored with the adapter")
    card: dict[str, Any] = Field(
        default_factory=dict, description="facts for people: data, licence, measures"
    )


def read_training(path: str | Path, model: type[C]) -> C:
    """Return the configuration in a YAML file.

    Raises:
        InvalidConfigError: the file is missing, is not YAML, or has a field that is wrong; the
            error names the file and the field.
    """
    file = Path(path)
    return validate(model, read_yaml(file), str(file))


def written(config: Training) -> str:
    """Return the configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
