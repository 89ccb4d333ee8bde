"""Configurations. They import no torch."""

from latelier import Frozen
from pydantic import Field


class ClipFeaturesConfig(Frozen):
    """CLIP with both encoders."""

    weights: str = Field(
        description="folder of a CLIP in the format of transformers, such as that of "
        "openai/clip-vit-large-patch14: a path, or owner/name of the hub, fetched before"
    )


class ClipScoreConfig(Frozen):
    """The CLIP score. Scores of different networks are not comparable."""

    weights: str = Field(
        "openai/clip-vit-large-patch14",
        description="folder of the CLIP: a path, or owner/name of the hub, fetched before",
    )
