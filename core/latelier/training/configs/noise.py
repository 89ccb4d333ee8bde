"""The density of the noise levels that training draws.

A level is the share of noise sigma / (alpha + sigma), in 0..1 for every noise process: the sigma
of the 'flow' frame.
"""

from typing import Annotated, Literal

from pydantic import Field

from latelier.contracts.frozen import Frozen


class UniformNoise(Frozen):
    """Every level is as likely as every other."""

    kind: Literal["uniform"] = "uniform"


class LogitNormalNoise(Frozen):
    """The logit of the level is normal (Esser et al., arXiv:2403.03206, equation 19)."""

    kind: Literal["logit_normal"] = "logit_normal"
    mean: float = Field(default=0.0, ge=-20, le=20, description="mean of logit(level)")
    std: float = Field(default=1.0, gt=0, le=20, description="standard deviation of logit(level)")


class LogNormalNoise(Frozen):
    """log(sigma / alpha) is normal (Karras et al., arXiv:2206.00364, Table 1).

    That is the logit of the level, so a `logit_normal` of the same numbers is the same density.
    """

    kind: Literal["log_normal"] = "log_normal"
    mean: float = Field(default=-1.2, ge=-20, le=20, description="mean of log(sigma / alpha)")
    std: float = Field(default=1.2, gt=0, le=20, description="deviation of log(sigma / alpha)")


class StepsNoise(Frozen):
    """Each training step of a 'vp' process is as likely (Ho et al., arXiv:2006.11239)."""

    kind: Literal["steps"] = "steps"


class ShiftedNoise(Frozen):
    """Another density, shifted to more noise for larger pictures (arXiv:2403.03206, equation 23).

    sigma / alpha is multiplied by `factor`. Where it is null the factor is sqrt(m / n) for
    pictures of m latent pixels.
    """

    kind: Literal["shifted"] = "shifted"
    noise: "NoiseConfig"
    factor: float | None = Field(
        default=None, gt=0, le=100, description="null: from the size of the pictures"
    )
    base_pixels: int = Field(
        default=1024, ge=1, description="n: latent pixels of pictures that need no shift"
    )


class MixturePart(Frozen):
    """A density of a mixture, and its share of the samples."""

    weight: float = Field(
        gt=0, le=1e9, description="share of the samples; shares are scaled to sum 1"
    )
    noise: "NoiseConfig"


class MixtureNoise(Frozen):
    """A mixture: each sample draws its level from one of several densities."""

    kind: Literal["mixture"] = "mixture"
    parts: tuple[MixturePart, ...] = Field(min_length=1, max_length=8)


NoiseConfig = Annotated[
    UniformNoise | LogitNormalNoise | LogNormalNoise | StepsNoise | ShiftedNoise | MixtureNoise,
    Field(discriminator="kind"),
]
"""A density of noise levels."""

for _model in (ShiftedNoise, MixturePart, MixtureNoise):
    _model.model_rebuild()
