"""The configuration of first-stage training."""

from pydantic import Field

from latelier.training.configs.components import (
    ComponentChoice,
    TermName,
)
from latelier.training.configs.training import Training


class FirstStageTraining(Training):
    """Stage one: an autoencoder of images."""

    first_stage: ComponentChoice
    terms: dict[TermName, float] = Field(
        default={"absolute": 1.0, "edges": 1.0},
        description="weight of each term of the reconstruction loss",
    )
    kl_weight: float = Field(
        default=1e-6, ge=0, description="weight of the mean KL of a latent number"
    )
    measured_scenes: int = Field(
        default=512, ge=1, description="held-out scenes whose latents determine scale_factor"
    )
