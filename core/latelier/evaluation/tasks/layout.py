"""Pictures of layouts: objects with their boxes (Table 9 of Rombach et al. 2022)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from latelier.evaluation.tasks.task import GenerationTask


class Layout(GenerationTask):
    """A picture of the layout of each sample."""

    kind: Literal["layout"] = "layout"
    inputs: ClassVar[Mapping[str, str]] = {"layout": "layout"}
