"""Configuration of DINOv2. It imports no torch."""

from latelier import Frozen
from pydantic import Field


class Dinov2FeaturesConfig(Frozen):
    """DINOv2 with any size of network."""

    weights: str = Field(
        "facebook/dinov2-large",
        description="folder of a DINOv2 in the format of transformers: a path, or owner/name of "
        "the hub, fetched before. FD-DINOv2 is published with facebook/dinov2-large",
    )
