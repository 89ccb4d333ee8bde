"""The fields of every training, and configurations as YAML."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BeforeValidator, Field

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.frozen import Frozen, validate
from latelier.training.configs.data import DataConfig
from latelier.training.configs.operations import FaultConfig, KeepConfig
from latelier.training.configs.optimization import (
    EmaConfig,
    OptimizerConfig,
    Precision,
    ScheduleConfig,
    WarmupStableDecay,
)

C = TypeVar("C", bound="Training")

Accelerator = Literal["auto", "cpu", "cuda", "mps"]

SheetWeights = Literal["average", "raw"]


def _check_folder(value: Any) -> Any:
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("expected the path of a folder; '.' is the current one")
    return value


class Training(Frozen):
    """The fields of every training."""

    out: Annotated[Path, BeforeValidator(_check_folder)] = Field(description="folder of the run")
    data: DataConfig = DataConfig()
    seed: int = Field(
        default=0, ge=0, lt=2**64, description="seed of weights, times, noise and drop-out"
    )
    steps: int = Field(ge=1, le=2**31, description="optimizer steps")
    batch_size: int = Field(
        default=64, ge=1, le=2**16, description="samples of a step, of all devices together"
    )
    accumulate: int = Field(
        default=1, ge=1, description="micro-batches that each device splits its samples into"
    )
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = WarmupStableDecay()
    precision: Precision = "32-true"
    channels_last: bool = Field(default=False, description="memory format of the convolutions")
    compile: bool = Field(
        default=False,
        description="compile the blocks of the networks (torch.compile): faster steps on a GPU "
        "after a first one of minutes",
    )
    ema: EmaConfig = EmaConfig()
    workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="processes that load data; 0 loads in the main process",
    )
    accelerator: Accelerator = "auto"
    devices: int | None = Field(
        default=None,
        ge=1,
        description="devices of each machine; null: one, or as many as torchrun started",
    )
    num_nodes: int = Field(default=1, ge=1, description="machines; torchrun sets it itself")
    strategy: Literal["ddp", "fsdp"] = Field(
        default="ddp",
        description="what several devices share: ddp, the gradients; fsdp, also the weights",
    )
    log_every: int = Field(default=50, ge=1, description="logging interval in steps")
    tensorboard: bool = Field(
        default=False, description="also write the log for TensorBoard; needs latelier[tensorboard]"
    )
    checkpoint_seconds: float = Field(
        default=120.0, gt=0, description="checkpoint interval in seconds"
    )
    keep: KeepConfig = KeepConfig()
    faults: FaultConfig = FaultConfig()
    sheet_every: int = Field(default=1000, ge=1, description="sample sheet interval in steps")
    sheet_weights: tuple[SheetWeights, ...] = Field(
        default=("average", "raw"), description="weights that sample sheets are drawn with"
    )
    validate_every: int = Field(default=1000, ge=1, description="validation interval in steps")

    def starts(self) -> dict[str, int]:
        """Return the first step of each part that begins later, by the dotted path of its field."""
        return {}


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
