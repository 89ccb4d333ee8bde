"""Pictures of semantic maps (section 4.3.2 of Rombach et al. 2022)."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from latelier.evaluation.tasks.task import GenerationTask


class SemanticMap(GenerationTask):
    """A picture of the semantic map of each sample."""

    kind: Literal["semantic_map"] = "semantic_map"
    inputs: ClassVar[Mapping[str, str]] = {"semantic_map": "semantic_map"}
