"""Loading a model of Stable Diffusion 1.5's size in fp16: anonymous memory.

Weights that stay mapped from their files are in memory once for all processes, and the system can
drop them at any time; what is copied is anonymous memory of the process. Our text encoder is not
CLIP, which is diffusers', but one of its size.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.cases.models import (
    KL_F8,
    SD_15,
    build,
    require_diffusers,
    to_diffusers,
)
from benchmarks.harness.case import Case, Sample, Setup, Variant
from benchmarks.harness.goal import Goal, value
from benchmarks.harness.memory import read_status, require_memory, sample_anonymous
from benchmarks.harness.processes import run_python
from latelier.pipeline import compose

WIDTH, LAYERS, VOCABULARY = 768, 12, 49408
"""Of the text encoder."""

OURS, OURS_DEFAULT, THEIRS = "latelier, fp16", "latelier, by default", "diffusers, fp16"


def variants(setup: Setup, /) -> Mapping[str, Variant]:
    """Return the loading of each library, from files that are in the page cache."""
    require_memory(8)
    folder = Path(setup.stack.enter_context(TemporaryDirectory(prefix="benchmarks-")))
    save_models(folder)
    return {name: Variant(partial(measure_loading, name, folder), "MiB") for name in LOADERS}


def save_models(folder: Path) -> None:
    """Write the same weights, in fp16, as each library has them."""
    unet = build("denoiser", "latelier/unet", SD_15)
    first_stage = build("first_stage", "latelier/autoencoder_kl", KL_F8)
    text = {"n_embed": WIDTH, "n_layer": LAYERS, "vocab_size": VOCABULARY}
    encoder = build("conditioner", "latelier/bert_text", text)
    for component in (unet, first_stage, encoder):
        component.module.half()
    to_diffusers(unet).save_pretrained(folder / "diffusers" / "unet")
    to_diffusers(first_stage).save_pretrained(folder / "diffusers" / "vae")
    _build_clip().half().save_pretrained(folder / "diffusers" / "text_encoder")
    compose(
        first_stage=first_stage,
        denoiser=unet,
        conditioners={"text": encoder},
        process={"kind": "vp"},
        defaults={"size": 512},
        device="cpu",
        dtype="float16",
    ).save(folder / "latelier")


def _build_clip() -> Any:
    """Return the text encoder of Stable Diffusion 1.5, with random weights."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=12,
    )
    return CLIPTextModel(config)


def measure_loading(name: str, folder: Path) -> Sample:
    """Return the peak of anonymous memory of a loading in a new process, in MiB."""
    code = f"from benchmarks.cases.loading import load_here; load_here({name!r}, {str(folder)!r})"
    return Sample(float(run_python(["-c", code]).split()[-1]))


def load_here(name: str, folder: str) -> None:
    """Load a model in this process, and print the peak of its anonymous memory, in MiB."""
    load = LOADERS[name](Path(folder))
    before = read_status("RssAnon")
    with sample_anonymous() as peak:
        loaded = load()
    sys.stdout.write(f"{peak[0] - before if loaded else 0}\n")


def prepare_ours(dtype: str) -> Callable[[Path], Callable[[], object]]:
    """Return what imports all that a loading needs, and returns the loading."""

    def prepare(folder: Path) -> Callable[[], object]:
        from latelier.pipeline import load

        load("emoji-scenes", device="cpu")
        return lambda: load(folder / "latelier", device="cpu", dtype=dtype)

    return prepare


def prepare_theirs(folder: Path) -> Callable[[], object]:
    """Return the loading of diffusers, after its imports."""
    import torch

    diffusers = require_diffusers()
    from transformers import CLIPTextModel

    classes = {
        "unet": diffusers.UNet2DConditionModel,
        "vae": diffusers.AutoencoderKL,
        "text_encoder": CLIPTextModel,
    }
    return lambda: [
        each.from_pretrained(folder / "diffusers" / part, torch_dtype=torch.float16)
        for part, each in classes.items()
    ]


LOADERS: Mapping[str, Callable[[Path], Callable[[], object]]] = {
    OURS: prepare_ours("float16"),
    OURS_DEFAULT: prepare_ours("auto"),
    THEIRS: prepare_theirs,
}

LOADING = Case(
    "load-sd15",
    "Loading, SD 1.5 size in fp16",
    variants,
    (
        Goal("anonymous memory, by default", value(OURS_DEFAULT), at_most=50, unit="MiB"),
        Goal("anonymous memory, in fp16", value(OURS), at_most=50, unit="MiB"),
    ),
    rounds=3,
    warmups=0,
)
