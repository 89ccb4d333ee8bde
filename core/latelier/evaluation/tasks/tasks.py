"""The tasks by their kinds."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from latelier.evaluation.tasks.class_label import ClassLabel
from latelier.evaluation.tasks.inpainting import Inpainting
from latelier.evaluation.tasks.layout import Layout
from latelier.evaluation.tasks.originals import Originals
from latelier.evaluation.tasks.pictures import Pictures
from latelier.evaluation.tasks.reconstruction import Reconstruction
from latelier.evaluation.tasks.semantic_map import SemanticMap
from latelier.evaluation.tasks.super_resolution import SuperResolution
from latelier.evaluation.tasks.text import Text
from latelier.evaluation.tasks.unconditional import Unconditional


def _from_kind(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


TaskConfig = Annotated[
    Annotated[
        Unconditional
        | Text
        | ClassLabel
        | Layout
        | SemanticMap
        | SuperResolution
        | Inpainting
        | Reconstruction
        | Originals
        | Pictures,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_from_kind),
]
"""A task; its kind alone stands for one with its defaults."""
