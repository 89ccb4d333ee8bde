"""The results of an evaluation."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isnan
from typing import Any

from latelier.contracts.measures import Figure


@dataclass(frozen=True)
class MeasuredFigure:
    """A figure of a run.

    Attributes:
        measure: the registered name of its measure.
        figure: the result.
        network: name of the network whose features it is of; "" if it is of none.
    """

    measure: str
    figure: Figure
    network: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the figure as JSON values; a value that could not be computed is None."""
        values = asdict(self.figure)
        if isnan(self.figure.value):  # JSON has no NaN
            values["value"] = None
        return {"measure": self.measure, "network": self.network, **values}


@dataclass(frozen=True)
class Results:
    """The results of an evaluation.

    Attributes:
        title: of the evaluation.
        model: what was evaluated: the name of a model, or a folder of pictures.
        pictures: how many.
        figures: of all measures.
        task: what the pictures were made from, such as "text"; "" for pictures made elsewhere.
        reference: what they were compared with, in words; "" for nothing.
        size: width and height of the pictures; None where they are not of one size.
        settings: what determines the values, by name, as text.
        provenance: further JSON values: configuration, versions, hashes.
    """

    title: str
    model: str
    pictures: int
    figures: Sequence[MeasuredFigure]
    task: str = ""
    reference: str = ""
    size: tuple[int, int] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the results as JSON values."""
        return {
            "title": self.title,
            "model": self.model,
            "task": self.task,
            "pictures": self.pictures,
            "reference": self.reference,
            "size": self.size,
            "settings": dict(self.settings),
            "figures": [each.to_json() for each in self.figures],
            "provenance": dict(self.provenance),
        }


def align_figures(runs: Sequence[Results]) -> list[list[MeasuredFigure | None]]:
    """Return a row for each figure of any run, with that of each run; None where it has none."""
    found = [{(it.measure, it.figure.name): it for it in run.figures} for run in runs]
    names = dict.fromkeys(name for each in found for name in each)
    return [[each.get(name) for each in found] for name in names]
