"""A table of the paper, and those that ship in the package."""

from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from latelier.checkpoints.io.yaml_files import read_yaml
from latelier.contracts.errors import UnknownNameError
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.messages import suggestion


class PublishedColumn(Frozen):
    """What is compared in a table. Its name in the table is that of a figure of a measure."""

    title: str = Field(description="short form, as in the paper")
    better: Literal["lower", "higher"]
    unit: str = ""
    network: str = Field(
        default="", description="network of the features, as results name it; '' without one"
    )


class PublishedRow(Frozen):
    """One model of a table."""

    model: str
    setting: str = Field(default="", description="data, steps and guidance")
    values: dict[str, float] = Field(description="by the name of the column")
    note: str = ""


class PublishedTable(Frozen):
    """A table of the paper."""

    title: str
    protocol: str = Field(description="how the values were measured")
    size: int | None = Field(
        default=None,
        description="side of the pictures in pixels; null: no picture of a run is comparable",
    )
    columns: dict[str, PublishedColumn]
    rows: tuple[PublishedRow, ...]
    notes: tuple[str, ...] = Field(
        default=(), description="where the paper, its repository or others disagree"
    )

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        for row in self.rows:
            unknown = sorted(row.values.keys() - self.columns.keys())
            if unknown:
                raise ValueError(f"{row.model}: there is no column '{unknown[0]}'")
        return self


def list_published() -> list[str]:
    """Return the names of the tables, such as "table-01"."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def read_published(name: str) -> PublishedTable:
    """Return a table of the paper.

    Raises:
        UnknownNameError: there is no table of this name.
    """
    known = list_published()
    if name not in known:
        raise UnknownNameError(f"published table '{name}' not found. {suggestion(name, known)}")
    path = _folder() / f"{name}.yaml"
    return validate(PublishedTable, read_yaml(path), str(path))


def _folder() -> Path:
    return Path(str(files("latelier.evaluation.published"))) / "tables"
