"""Whole pictures of Stable Diffusion 1.5's size, from the noise to the picture.

Both libraries are given the embeddings of the prompt, and the same noise. There is no text encoder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from benchmarks.cases.models import (
    KL_F8,
    SD_15,
    TOKENS,
    build,
    build_embedding,
    require_diffusers,
    to_diffusers,
)
from benchmarks.harness.case import Case, Sample, Setup, SkipError, Variant
from benchmarks.harness.goal import Goal, ratio, speedup
from benchmarks.harness.memory import MIB, peak_memory, require_memory
from benchmarks.harness.timing import timed
from latelier.contracts.images.pixels import pil_to_tensor
from latelier.diffusion.noise import PerImageNoise
from latelier.pipeline import Pipeline, compose

OURS, THEIRS, COMPILED = "latelier", "diffusers", "diffusers, compiled"
WIDTH, GUIDANCE, SEED = 768, 7.5, 7
BETAS = {"beta_start": 0.00085, "beta_end": 0.012}


@dataclass(frozen=True)
class Pictures:
    """The pictures of a run.

    Attributes:
        side: in pixels.
        steps: of the sampler, DDIM.
        count: pictures of a batch.
    """

    side: int
    steps: int
    count: int = 1

    def on_cpu(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the run of each library, by default."""
        require_memory(13)
        pipe, peer = build_pair("cpu", "auto", torch.float32)
        return {THEIRS: self.run_theirs(peer), OURS: self.run_ours(pipe)}

    def memory_on_cpu(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the peak memory of each, in processes of their own."""
        require_diffusers()
        require_memory(13)
        return {name: peak_memory("picture-512", name) for name in (THEIRS, OURS)}

    def on_gpu(self, _setup: Setup, /) -> Mapping[str, Variant]:
        """Return the run of each library in bf16, and their memory."""
        if not torch.cuda.is_available():
            raise SkipError("there is no GPU")
        pipe, peer = build_pair("cuda", "bfloat16", torch.bfloat16)
        ours, theirs = self.run_ours(pipe), self.run_theirs(peer)
        compiled = type(peer)(**peer.components, requires_safety_checker=False)
        compiled.set_progress_bar_config(disable=True)
        compiled.unet = torch.compile(peer.unet)
        return {
            THEIRS: theirs,
            OURS: ours,
            COMPILED: self.run_theirs(compiled),
            f"{THEIRS}, memory": measure_gpu_memory(theirs),
            f"{OURS}, memory": measure_gpu_memory(ours),
        }

    def run_ours(self, pipe: Pipeline) -> Variant:
        """Return a run of latelier."""
        prompts = [row.tolist() for row in draw_prompts(self.count)]
        request: dict[str, Any] = {"steps": self.steps, "guidance": GUIDANCE, "sampler": "ddim"}

        def run() -> Image.Image:
            return pipe.generate(text=prompts, seed=SEED, size=self.side, **request)[0].image

        return timed(run, output=pil_to_tensor)

    def run_theirs(self, peer: Any) -> Variant:
        """Return a run of diffusers."""
        device, dtype = peer.unet.device, peer.unet.dtype
        seeds = [SEED + k for k in range(self.count)]
        shape = (4, self.side // 8, self.side // 8)
        latents = PerImageNoise(seeds, shape, torch.device("cpu")).initial()
        prompts = draw_prompts(self.count).to(device, dtype)

        def run() -> Image.Image:
            made = peer(
                prompt_embeds=prompts,
                negative_prompt_embeds=torch.zeros_like(prompts),
                latents=latents.to(device, dtype),
                num_inference_steps=self.steps,
                guidance_scale=GUIDANCE,
            )
            image: Image.Image = made.images[0]
            return image

        return timed(run, output=pil_to_tensor)


def build_pair(device: str, ours: str, theirs: torch.dtype) -> tuple[Pipeline, Any]:
    """Return the pipelines of latelier and diffusers, with the same weights."""
    diffusers = require_diffusers()
    unet = build("denoiser", "latelier/unet", SD_15)
    first_stage = build(
        "first_stage", "latelier/autoencoder_kl", {**KL_F8, "scale_factor": 0.18215}
    )
    peer = diffusers.StableDiffusionPipeline(
        vae=to_diffusers(first_stage),
        unet=to_diffusers(unet),
        scheduler=diffusers.DDIMScheduler(
            **BETAS,
            beta_schedule="scaled_linear",
            steps_offset=1,
            set_alpha_to_one=False,
            clip_sample=False,
        ),
        text_encoder=None,
        tokenizer=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(device, theirs)
    peer.set_progress_bar_config(disable=True)
    pipe = compose(
        first_stage=first_stage,
        denoiser=unet,
        conditioners={"text": build_embedding(WIDTH)},
        process={"kind": "vp", **BETAS},
        defaults={"size": 512, "schedule": "compvis", "guidance": GUIDANCE},
        device=device,
        dtype=ours,
    )
    return pipe, peer


def draw_prompts(count: int) -> Tensor:
    """Return embeddings of prompts, (count, N, D)."""
    return torch.randn(count, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))


def measure_gpu_memory(variant: Variant) -> Variant:
    """Return the variant whose samples are the peak memory of another on a GPU, in MiB."""

    def take() -> Sample:
        torch.cuda.reset_peak_memory_stats()
        variant.take()
        return Sample(torch.cuda.max_memory_allocated() / MIB)

    return Variant(take, "MiB")


def make_gpu_case(count: int) -> Case:
    """Return the case of 512 x 512 pictures in 20 steps."""
    return Case(
        f"gpu-sd15-{count}",
        f"GPU, SD 1.5 size, 512 x 512, 20 steps, batch {count}",
        Pictures(512, 20, count).on_gpu,
        (
            Goal("speed over diffusers", speedup(OURS, THEIRS), 1.2),
            Goal("speed over diffusers compiled", speedup(OURS, COMPILED), 1.1),
            Goal("memory relative to diffusers", ratio(f"{OURS}, memory", f"{THEIRS}, memory")),
        ),
        rounds=5,
    )


PICTURE = Pictures(512, 2)
PICTURES = (
    Case(
        "picture-512",
        "A picture, SD 1.5 size, 512 x 512, 2 steps",
        PICTURE.on_cpu,
        (Goal("speed over diffusers, both by default", speedup(OURS, THEIRS)),),
        rounds=3,
        warmups=0,
    ),
    Case(
        "picture-512-memory",
        "A picture, SD 1.5 size, 512 x 512: memory",
        PICTURE.memory_on_cpu,
        (Goal("peak memory relative to diffusers", ratio(OURS, THEIRS)),),
        rounds=3,
        warmups=0,
    ),
    make_gpu_case(1),
    make_gpu_case(8),
)
