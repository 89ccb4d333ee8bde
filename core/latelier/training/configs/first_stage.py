"""The configuration of first-stage training."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from latelier.contracts.frozen import Frozen
from latelier.training.configs.components import ComponentChoice, TermName
from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.configs.training import Training

Weight = Annotated[float, Field(ge=0, le=1e9)]
"""The weight of a term."""

Start = Annotated[float, Field(ge=0, le=2**31)]
"""A step: below 1 a share of all steps, otherwise a number of steps."""

_START = "below 1 a share of `steps`, otherwise a number of steps"


class PerceptualConfig(Frozen):
    """A perceptual term of the reconstruction loss."""

    network: Literal["lpips", "detector"] = Field(
        description="lpips: VGG16 with learnt weights (arXiv:1801.03924); "
        "detector: the small scene detector, which ships with its weights"
    )
    weights: tuple[str, ...] | str = Field(
        default=(),
        description="for lpips, file of its weights or several that complement each other, "
        "safetensors or PyTorch: a path, or owner/name/FILE of the hub, fetched before. "
        "vgg16-397923af.pth of torchvision and weights/v0.1/vgg.pth of the package lpips, or an "
        "autoencoder's checkpoint by CompVis, which has both",
    )
    weight: Weight = Field(default=1.0, description="weight of the term")

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        if self.network == "lpips" and not self.files:
            raise ValueError("lpips needs `weights`: a file of VGG16 and one of lpips")
        if self.network == "detector" and self.files:
            raise ValueError("the detector ships with its weights: leave `weights` out")
        return self

    @property
    def files(self) -> tuple[str, ...]:
        """The files of weights."""
        return (self.weights,) if isinstance(self.weights, str) else self.weights


class DiscriminatorConfig(Frozen):
    """A PatchGAN (arXiv:1611.07004); the defaults are those of the published autoencoders."""

    layers: int = Field(
        default=3, ge=1, le=6, description="convolutions that halve the sides: 3 see 70 pixels"
    )
    channels: int = Field(
        default=64, ge=1, le=1024, description="channels of the first convolution"
    )
    norm: Literal["batch", "group", "act"] = Field(
        default="batch",
        description="batch norm, as published, over the images of a device's micro-batch; group "
        "norm, over each image alone; or act norm (arXiv:1807.03039)",
    )


class AdversarialConfig(Frozen):
    """The adversarial loss (arXiv:2012.09841)."""

    start: Start = Field(
        default=0.5,
        description=f"first step with it; {_START}. Published: 50001 for kl, 0 to 250001 for vq",
    )
    weight: Weight = Field(
        default=0.5, description="weight of the term. Published: 0.5 for kl, 0.75 for vq"
    )
    factor: Weight = Field(
        default=1.0, description="factor of the losses of both autoencoder and discriminator"
    )
    adaptive: bool = Field(
        default=True,
        description="multiply the weight by the ratio of the gradients of the reconstruction and "
        "adversarial losses at the decoder's last layer, at most 10000, as published; each "
        "micro-batch has its own",
    )
    loss: Literal["hinge", "vanilla"] = Field(
        default="hinge", description="the discriminator's loss: hinge, or vanilla: cross-entropy"
    )
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    optimizer: OptimizerConfig = Field(
        default=OptimizerConfig(lr=2e-4, betas=(0.5, 0.9)),
        description="optimizer of the discriminator, with the schedule of the training. It needs a "
        "lower rate than a small autoencoder: at 2e-3 it learns nothing. Published: betas 0.5 "
        "and 0.9, and the rate of the autoencoder, about 5e-5",
    )


class EquivarianceConfig(Frozen):
    """Scale equivariance: shrunk latents should decode to the shrunk image (arXiv:2502.14831)."""

    weight: Weight = Field(default=0.25, description="weight of the term")
    share: float = Field(default=0.5, gt=0, le=1, description="share of the batches that have it")
    factors: tuple[Literal[2, 4], ...] = Field(
        default=(2, 4), min_length=1, description="factors of shrinking, in turn"
    )


class DecoderOnlyConfig(Frozen):
    """A last part of the training, in which the encoder is frozen: only the decoder learns.

    It has neither regularization nor scale equivariance, which are about the encoder. From step 0
    on, with `start_from`, the latents keep their scale too, so that denoisers of the former decoder
    work with the new one.
    """

    start: Start = Field(default=0.67, description=f"first step of it; {_START}")
    noise: float = Field(
        default=0.3,
        ge=0,
        le=10,
        description="largest noise on the latents of an image, in units of their standard "
        "deviation; it is uniform between 0 and this, and the decoder learns to remove it",
    )


class FirstStageTraining(Training):
    """Stage one: an autoencoder of images (arXiv:2112.10752, section 3.1)."""

    first_stage: ComponentChoice | None = Field(
        default=None,
        description="the autoencoder: autoencoder_kl or autoencoder_vq; null: that of start_from",
    )
    start_from: str | None = Field(
        default=None,
        description="folder of a first stage, or a model that has one, with the initial weights, "
        "which must fit first_stage",
    )
    terms: dict[TermName, Weight] = Field(
        default={"absolute": 1.0, "edges": 1.0},
        description="weight of each term of the reconstruction loss, a mean over pixels. "
        "Published: absolute 1 and perceptual 1",
    )
    perceptual: PerceptualConfig | None = None
    adversarial: AdversarialConfig | None = None
    equivariance: EquivarianceConfig | None = None
    decoder_only: DecoderOnlyConfig | None = None
    kl_weight: Weight | None = Field(
        default=None,
        description="weight of the KL divergence from a standard normal distribution, for "
        "autoencoder_kl; `reduction` says of which; null: 1e-6",
    )
    reduction: Literal["mean", "sum"] = Field(
        default="mean",
        description="mean: kl_weight is that of the mean KL of a latent number, beside the mean "
        "error of a pixel's value. sum: kl_weight is that of an image's whole KL, beside the "
        "errors summed over the image, as in the paper, whose weight is 1e-6; the total is then "
        "divided by the number of values, 3 H W. For kl-f8 at 256 px, sum with 1e-6 equals mean "
        "with 1e-6 * 4096 / 196608 = 2.1e-8",
    )
    codebook_weight: Weight | None = Field(
        default=None,
        description="weight of the codebook and commitment losses, for autoencoder_vq, whose "
        "`beta` weighs one against the other; null: 1.0, as published",
    )
    codebook_start: Start | None = Field(
        default=None,
        description=f"first step with quantisation, for autoencoder_vq; {_START}. Before it the "
        "latents are continuous, and at it the codes are drawn from them: then short trainings use "
        "most codes instead of a few dozen. null: quantise from the beginning, as published",
    )
    whiten: bool = Field(
        default=False,
        description="export latents whose channels are uncorrelated, with mean 0 and variance 1, "
        "by a change of quant_conv and post_quant_conv; for autoencoder_kl",
    )
    validation_images: int = Field(default=64, ge=1, description="held-out images of a validation")
    measured_images: int = Field(
        default=512,
        ge=2,
        le=1_000_000,
        description="held-out images that scale_factor, whitening and the report are measured on; "
        "training images complete them for the statistics of the latents",
    )

    @property
    def keeps_latents(self) -> bool:
        """Whether the encoder is that of `start_from`, and never trained."""
        last_part = self.decoder_only
        return self.start_from is not None and last_part is not None and last_part.start == 0

    @model_validator(mode="after")
    def _check_latents(self) -> Self:
        if self.keeps_latents and self.whiten:
            raise ValueError(
                "whiten changes the latents, which decoder_only keeps from step 0 on: leave "
                "whiten out, or begin decoder_only later"
            )
        return self

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.first_stage is None and self.start_from is None:
            raise ValueError("first_stage or start_from is missing: which autoencoder to train?")
        if not any(self.terms.values()) and self.perceptual is None:
            raise ValueError("terms: give at least one of them a weight, or add perceptual")
        if self.data.cache is not None:
            raise ValueError("data.cache holds latents, and a first stage is trained on pictures")
        if self.codebook_start is not None and self.start_from is not None:
            raise ValueError("codebook_start: the codes of start_from are trained; leave it out")
        if self.codebook_start is not None and self.strategy == "fsdp":
            raise ValueError("codebook_start needs the strategy ddp")
        return self

    @model_validator(mode="after")
    def _check_starts(self) -> Self:
        shares = self._given_starts()
        for name, step in self.starts().items():
            if step >= self.steps:
                part_name = name.removesuffix(".start")
                raise ValueError(
                    f"{name} {shares[name]:g} is beyond the last of {self.steps} steps: lower it, "
                    f"or leave {part_name} out"
                )
        return self

    def starts(self) -> dict[str, int]:
        """Return the first step of each part that begins later, by the dotted path of its field."""
        return {name: first_step(start, self.steps) for name, start in self._given_starts().items()}

    def _given_starts(self) -> dict[str, float]:
        """Return these starts as they are given: shares or numbers of steps."""
        starts = {"codebook_start": self.codebook_start}
        for name in ("adversarial", "decoder_only"):
            part: AdversarialConfig | DecoderOnlyConfig | None = getattr(self, name)
            starts[f"{name}.start"] = None if part is None else part.start
        return {name: start for name, start in starts.items() if start is not None}


def first_step(start: float, steps: int) -> int:
    """Return the step of `start`: below 1 a share of `steps`, otherwise a number of steps."""
    return round(start * steps) if start < 1 else int(start)
