"""LoRAs of all attention layers of a UNet of Stable Diffusion 1.5's size: seconds of a view."""

from collections.abc import Mapping, Sequence

import torch

from benchmarks.cases.models import SD_15, build
from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.goal import Goal, value
from benchmarks.harness.memory import require_memory
from benchmarks.harness.timing import timed
from latelier.checkpoints.component import Component
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.merging import merge
from latelier.nn.low_rank import LowRank

RANK, COUNT = 8, 20
ONE, MANY = "one LoRA", f"{COUNT} LoRAs"


def variants(_setup: Setup, /) -> Mapping[str, Variant]:
    """Return the views with one LoRA and with several."""
    require_memory(6)
    components = {"denoiser": build("denoiser", "latelier/unet", SD_15)}
    loras = [draw_lora(components, seed) for seed in range(COUNT)]

    def view(chosen: Sequence[Lora]) -> Variant:
        return timed(lambda: merge(components, [(lora, 0.5) for lora in chosen]))

    return {ONE: view(loras[:1]), MANY: view(loras)}


def draw_lora(components: Mapping[str, Component], seed: int) -> Lora:
    """Return a LoRA in fp16, as files have it."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return (torch.randn(shape, generator=generator) * 0.01).half()

    layers = find_layers({place: each.module for place, each in components.items()})
    changes = {
        address: LowRank(
            draw(RANK, *layer.weight.shape[1:]), draw(len(layer.weight), RANK), float(RANK)
        )
        for address, layer in layers.items()
        if ".attn" in address
    }
    return Lora(changes).requires_grad_(False)


MERGING = Case(
    "merge-sd15",
    "Views with LoRAs, SD 1.5 size",
    variants,
    (Goal(f"{COUNT} LoRAs", value(MANY), at_most=2, unit="s"),),
)
