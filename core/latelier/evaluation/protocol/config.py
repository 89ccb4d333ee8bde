"""The configuration of an evaluation, and its YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BeforeValidator, Field, field_validator, model_validator

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import Frozen, validate
from latelier.evaluation.protocol.data import EvaluationData
from latelier.evaluation.tasks.tasks import TaskConfig
from latelier.training.configs.components import ComponentChoice


def _from_name(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


Choice = Annotated[ComponentChoice, BeforeValidator(_from_name)]
"""A component and its configuration; its name alone stands for one with its defaults."""


class AdapterChoice(Frozen):
    """An adapter of the model. Given as text, its strength is 1."""

    adapter: str = Field(description="registered name, folder or safetensors file")
    scale: float = Field(default=1.0, ge=-100, le=100, description="its strength")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"adapter": value} if isinstance(value, str) else value


class ReferenceConfig(Frozen):
    """The pictures that features are compared with. A path is short for `path`."""

    path: Path | None = Field(
        default=None,
        description="statistics that `latelier evaluate reference` has written; null: computed "
        "from the data",
    )
    data: EvaluationData | None = Field(
        default=None, description="the pictures; null: those of the evaluation's own data"
    )
    pictures: int | None = Field(
        default=None, ge=2, description="how many of them; null: all, or as many as are evaluated"
    )
    sample: int = Field(
        default=10_000,
        ge=2,
        description="features that are kept for measures of neighbours and kernels, of pictures "
        "chosen by their hash",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.path is not None and (self.data is not None or self.pictures is not None):
            raise ValueError("data and pictures are for statistics that are computed, not for path")
        return self


class EvaluationConfig(Frozen):
    """An evaluation: what is made of which data, and how it is measured.

    Picture k is a function of this configuration and of k alone.
    """

    out: Path = Field(description="folder of the run: records, and the tables of results")
    title: str = Field(default="", description="heading of the tables; '': made of the task")
    model: str | None = Field(
        default=None, description="embedded name, folder or hub id; null where pictures are given"
    )
    adapters: tuple[AdapterChoice, ...] = Field(default=(), description="of the model")
    task: TaskConfig = Field(description="what the pictures are made of")
    inputs: dict[str, str] | None = Field(
        default=None,
        description="public inputs of the model, each with the field of a sample that it is given; "
        "null: those of the task",
    )
    data: EvaluationData = EvaluationData()
    pictures: int | None = Field(
        default=None, ge=1, le=10**8, description="number of pictures; null: one for each sample"
    )
    seed: int = Field(
        default=0, ge=0, lt=2**62, description="picture k is made with the seed of this plus k"
    )
    batch_size: int = Field(default=25, ge=1, le=4096, description="pictures made at once")
    chunk_size: int = Field(
        default=100,
        ge=1,
        le=100_000,
        description="pictures of a chunk: what is stored together, and at most lost by a kill",
    )
    generate: dict[str, Any] = Field(
        default_factory=dict,
        description="further keywords of `Pipeline.generate`: steps, sampler, schedule, guidance "
        "...; the model's defaults otherwise",
    )
    network: Choice | None = Field(
        default=ComponentChoice(id="scenes"), description="the network whose features are compared"
    )
    reference: ReferenceConfig | None = Field(
        default=None, description="what features are compared with; null: nothing"
    )
    measures: tuple[Choice, ...] = Field(
        default=(), description="what is measured; none: features alone are recorded"
    )
    published: tuple[str, ...] = Field(
        default=(), description="tables of the paper beside which the results are written"
    )
    keep: int = Field(
        default=0, ge=0, description="number of pictures, the first ones, that are kept as files"
    )
    max_unusable: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of samples that may be unusable, such as damaged files, before the run "
        "stops",
    )
    threads: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="CPU threads of each process; several processes are faster than threads, and "
        "another number of threads changes the last bits",
    )
    device: str = Field(
        default="auto",
        description="'auto', 'cpu', 'cuda' ...; with several processes 'cuda' is shared out",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32", description="precision of the model"
    )

    @field_validator("published", mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_model(self) -> Self:
        if self.task.uses_model and self.model is None:
            raise ValueError(f"model: the task '{self.task.kind}' needs one")
        if not self.task.uses_model and (self.model or self.adapters or self.generate):
            raise ValueError(
                f"model, adapters and generate are not for the task '{self.task.kind}', whose "
                "pictures are given"
            )
        return self


def read_evaluation(path: Path, changes: Mapping[str, Any] | None = None) -> EvaluationConfig:
    """Read a configuration from a YAML file.

    Args:
        path: of the file.
        changes: values that replace those of the file, by the dotted path of their field.

    Raises:
        InvalidConfigError: the file is missing or not YAML, or a field is invalid; the error names
            file and field.
    """
    values = read_yaml(path)
    for field, value in (changes or {}).items():
        _replace(values, field, value)
    return validate(EvaluationConfig, values, str(path))


def to_yaml(config: EvaluationConfig) -> str:
    """Return a configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _replace(values: dict[str, Any], field: str, value: Any) -> None:
    *parents, name = field.split(".")
    for parent in parents:
        inner = values[parent] = values.get(parent) or {}
        if not isinstance(inner, dict):  # a short form, such as a name
            raise InvalidConfigError(f"{field}: '{parent}' is no mapping in the file")
        values = inner
    values[name] = value
