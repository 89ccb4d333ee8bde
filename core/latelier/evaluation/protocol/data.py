"""The configuration of the data of an evaluation."""

from typing import Literal, Self

from pydantic import Field, model_validator

from latelier.training.configs.data import CaptionConfig, Filter, HeldOutConfig, Side, SourceFields

_HELD_OUT_SEED: int = HeldOutConfig().seed


class EvaluationData(SourceFields):
    """The samples of an evaluation, in order.

    Where fewer are used than there are, they are spread evenly, so that a data set whose files are
    sorted by class keeps all its classes.
    """

    seed: int = Field(
        default=_HELD_OUT_SEED,
        ge=0,
        lt=2**63,
        description="seed of the built-in scenes, by default of those that trainings hold out, and "
        "of the choice among several captions",
    )
    size: Side | tuple[Side, Side] | None = Field(
        default=None,
        description="side, or width and height, of the pictures in pixels; null: that of the model "
        "or of the built-in scenes, or of the pictures themselves if all have one",
    )
    resize: Filter = Field(
        default="lanczos", description="filter that resizes pictures of another size"
    )
    crop: Literal["center", "none"] = Field(
        default="center",
        description="of a picture of another aspect ratio: center, the largest part that fits; "
        "none, the whole of it, distorted",
    )
    captions: CaptionConfig = CaptionConfig()

    @property
    def sides(self) -> tuple[int, int] | None:
        """Width and height of the pictures, if `size` says them."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        if self.url is not None:
            raise ValueError(
                "url: an evaluation reads samples in a fixed order, which a stream does not have; "
                "download the shards and name their folder as path"
            )
        return self
