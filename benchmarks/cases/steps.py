"""One call of the denoiser for two images, from the smallest size to that of SDXL.

Ours is a step of a run, as a sampler calls it, with the noise process and its precision; theirs is
the network alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.cases.models import (
    LDM_4,
    SD_15,
    TOKENS,
    build,
    build_embedding,
    to_diffusers,
    tune,
    with_matrix_products,
)
from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.ceilings import at_ceiling, convolution
from benchmarks.harness.goal import Goal, ratio, speedup
from benchmarks.harness.memory import require_memory
from benchmarks.harness.timing import timed
from latelier.checkpoints.component import Component
from latelier.contracts.sampling import Denoise
from latelier.pipeline import Pipeline, compose

OURS, OURS_FP32 = "latelier", "latelier, fp32"
THEIRS, CEILING = "diffusers", "bf16 convolutions at their ceiling"
TUNED = ("diffusers, tuned", "diffusers, tuned, explicit attention")
ROWS, SIGMA = 2, 2.0


@dataclass(frozen=True)
class Network:
    """A UNet of a size.

    Attributes:
        name: of the case.
        title: human-readable.
        config: fields of the UNet.
        side: of the latents.
        calls: in a sample.
        gib: memory that all variants need.
    """

    name: str
    title: str
    config: Mapping[str, Any] = field(repr=False)
    side: int
    calls: int = 1
    gib: float = 1.0

    def variants(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the step of each library: by default, and tuned by hand."""
        require_memory(self.gib)
        unet = build("denoiser", "latelier/unet", self.config)
        plain = to_diffusers(unet, self.side)
        tuned = tune(plain)
        ours, fp32 = wrap(unet, self.side, "auto"), wrap(unet, self.side, "float32")
        call = Call.of(fp32, self.side)
        tried = {
            THEIRS: call.theirs(plain, self.calls),
            OURS_FP32: call.ours(fp32, self.calls),
            OURS: call.ours(ours, self.calls),
            TUNED[0]: call.theirs(tuned, self.calls),
            TUNED[1]: call.theirs(with_matrix_products(tuned), self.calls),
        }
        flops = count_flops(plain, call)
        return {**tried, CEILING: at_ceiling(convolution(torch.bfloat16, 64), flops)}


@dataclass(frozen=True, eq=False)
class Call:
    """The input of a step.

    Attributes:
        x: noisy latents (B, C, h, w).
        x_in: the same on the scale that the network sees.
        t: (B,) of `SIGMA`.
        context: tokens (B, N, D), if the network attends to any.
    """

    x: Tensor
    x_in: Tensor
    t: Tensor
    context: Tensor | None

    @classmethod
    def of(cls, pipe: Pipeline, side: int) -> "Call":
        """Return the input for a pipeline, with the same numbers every time."""
        generator = torch.Generator().manual_seed(1)
        config: Any = pipe.denoiser.config
        x_in = torch.randn(ROWS, config.in_channels, side, side, generator=generator)
        x = x_in / pipe.process.input_scale(SIGMA)
        t = pipe.process.timestep(SIGMA).expand(ROWS)
        width = config.context_dim
        context = width and torch.randn(ROWS, TOKENS, width, generator=generator)
        return cls(x, x_in, t, context)

    def ours(self, pipe: Pipeline, calls: int) -> Variant:
        """Return a step of ours; its output is the noise, as that of diffusers."""
        denoise = self.denoise_fn(pipe)

        @torch.no_grad()
        def step() -> Tensor:
            return denoise(self.x, SIGMA)

        return timed(step, calls, lambda x0: (self.x - x0) / SIGMA)

    def denoise_fn(self, pipe: Pipeline) -> Denoise:
        """Return what a sampler calls, without guidance."""
        if self.context is None:
            return pipe.denoise_fn(n=ROWS, guidance=1.0)
        return pipe.denoise_fn(text=[row.tolist() for row in self.context], guidance=1.0)

    def theirs(self, unet: Any, calls: int) -> Variant:
        """Return a call of a UNet of diffusers."""

        @torch.no_grad()
        def step() -> Tensor:
            return self.call(unet)

        return timed(step, calls, lambda noise: noise)

    def call(self, unet: Any, device: str = "cpu") -> Tensor:
        """Return the output of a UNet of diffusers."""
        x_in, t = self.x_in.to(device, unet.dtype), self.t.to(device)
        if self.context is None:
            noise: Tensor = unet(x_in, t, return_dict=False)[0]
        else:
            noise = unet(x_in, t, self.context.to(device, unet.dtype), return_dict=False)[0]
        return noise


def wrap(unet: Component, side: int, dtype: str) -> Pipeline:
    """Return a pipeline around a UNet, whose pictures are its latents."""
    config: Any = unet.config
    return compose(
        first_stage=build("first_stage", "latelier/identity", {"channels": config.in_channels}),
        denoiser=unet,
        conditioners={name: build_embedding(config.context_dim) for name in config.streams},
        process={"kind": "vp"},
        defaults={"size": side},
        device="cpu",
        dtype=dtype,
    )


def count_flops(unet: Any, call: Call) -> float:
    """Return the floating-point operations of a call, counted on tensors without values."""
    with torch.device("meta"):
        empty = type(unet).from_config(unet.config)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call.call(empty, "meta")
    return float(counter.get_total_flops())


def make_case(network: Network, *goals: Goal, rounds: int = 7) -> Case:
    return Case(network.name, network.title, network.variants, goals, rounds)


def against_default(at_least: float | None = None) -> Goal:
    return Goal("speed over diffusers, both by default", speedup(OURS, THEIRS), at_least)


def against_tuned(at_least: float | None = None) -> Goal:
    return Goal("speed over diffusers tuned by hand", speedup(OURS, TUNED), at_least)


def against_ceiling(at_least: float | None = None) -> Goal:
    return Goal("share of the bf16 convolution ceiling", ratio(CEILING, OURS), at_least, unit="%")


SMALL = {
    "in_channels": 4,
    "out_channels": 4,
    "num_res_blocks": 1,
    "num_heads": 4,
    "context_dim": 128,
    "streams": {"text": {"width": 128, "injection": "native"}},
}
TINY_UNET = {**SMALL, "model_channels": 64, "channel_mult": [1, 2], "attention_resolutions": [1, 2]}
UNET_25M = {
    **SMALL,
    "model_channels": 96,
    "channel_mult": [1, 2, 2],
    "num_res_blocks": 2,
    "attention_resolutions": [1, 2, 4],
}
UNET_XL = {
    **SMALL,
    "num_heads": None,
    "num_head_channels": 64,
    "model_channels": 320,
    "channel_mult": [1, 2, 4],
    "num_res_blocks": 2,
    "attention_resolutions": [2, 4],
    "transformer_depth": 8,
    "use_linear_projections": True,
    "context_dim": 2048,
    "streams": {"text": {"width": 2048, "injection": "native"}},
}

STEPS = (
    make_case(
        Network("step-4m", "Step, 4 M parameters, 16 x 16", TINY_UNET, 16, calls=10),
        against_default(),
        against_tuned(),
        rounds=15,
    ),
    make_case(
        Network("step-25m", "Step, 25 M parameters, 32 x 32", UNET_25M, 32, calls=3),
        against_default(),
        against_tuned(1.3),
        rounds=11,
    ),
    make_case(
        Network("step-ldm4", "Step, LDM-4 (274 M), 64 x 64", LDM_4, 64, gib=5),
        against_default(2.8),
        against_tuned(1.15),
        against_ceiling(),
    ),
    make_case(
        Network("step-sd15", "Step, SD 1.5 size (860 M), 32 x 32", SD_15, 32, gib=13),
        against_default(2.8),
        against_tuned(1.15),
        against_ceiling(0.75),
    ),
    make_case(
        Network("step-xl", "Step, SDXL size (2.4 B), 32 x 32", UNET_XL, 32, gib=36),
        against_default(2.8),
        against_tuned(1.15),
        rounds=5,
    ),
)
