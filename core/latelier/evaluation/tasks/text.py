"""Pictures of texts (Table 2 of Rombach et al. 2022)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from latelier.evaluation.tasks.task import GenerationTask


class Text(GenerationTask):
    """A picture of the prompt of each sample."""

    kind: Literal["text"] = "text"
    inputs: ClassVar[Mapping[str, str]] = {"prompt": "prompt"}
