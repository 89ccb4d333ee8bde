"""A model with texts, layouts and references, whose weights are random."""

from functools import cache

import pytest
import torch

import latelier
from latelier.checkpoints.component import Component
from latelier_conditioners.text.conditioner import TextConditioner
from latelier_conditioners.text.inputs import TextConfig

CAPTIONS = [
    "#1 to the left of #2 in a meadow",
    "#1, #2 and #3 on an orange background",
    "in the desert at sunset, #1",
]
WIDTH = 16


def text_conditioner():
    text = TextConditioner(TextConfig(width=WIDTH, layers=0, heads=2))
    text.fit(CAPTIONS)
    return Component("conditioner", "latelier/text", "0", text.eval())


NATIVE = {"width": WIDTH, "injection": "native"}
SLOTS = {"num_classes": 3, "names": ("#1", "#2", "#3"), "max_objects_per_image": 3}


@cache
def make_pipeline(database="emoji"):
    """Return a model that is given its references as tokens."""
    shown = ("references", {"latent_channels": 3, "size": 16, "patch": 4})
    streams = {"references": {"width": 16 * 4 + 16 + 3}}
    return compose({"references": shown}, {"streams": streams}, size=8, database=database)


@cache
def make_collage_pipeline(database="emoji"):
    """Return a model that is shown its references at their places."""
    labels = ("none", "animals and nature", "food and drink")
    maps = {"num_classes": 3, "n_stages": 0, "names": labels, "absence": "guided"}
    conditioners = {
        "collage": ("collage", {"latent_channels": 3, "absence": "guided"}),
        "semantic_map": ("semantic_map", maps),
    }
    return compose(conditioners, {"spatial": {"collage": 10, "semantic_map": 3}}, 16, database)


def compose(conditioners, takes, size, database="emoji"):
    """Return a model with texts, layouts and further conditioners, the first of references.

    Args:
        conditioners: the further ones.
        takes: the inputs of its denoiser from them.
        size: of its pictures.
        database: of its references.
    """
    shown, *others = conditioners
    pipeline = latelier.compose(
        first_stage=("identity", {}),
        denoiser=(
            "unet",
            {
                "in_channels": 3,
                "out_channels": 3,
                "model_channels": 8,
                "channel_mult": [1],
                "num_res_blocks": 1,
                "attention_resolutions": [1],
                "num_heads": 2,
                "num_groups": 4,
                "context_dim": WIDTH,
                **takes,
                "streams": {"text": NATIVE, "layout": NATIVE, **takes.get("streams", {})},
            },
        ),
        conditioners={
            "text": text_conditioner(),
            "layout": ("layout_fourier", {"width": WIDTH, "layers": 0, "heads": 2, **SLOTS}),
            **conditioners,
        },
        inputs={
            "prompt": "text",
            "layout": "layout",
            "reference": shown,
            **{name: name for name in others},
        },
        process={"kind": "rectified_flow"},
        defaults={"size": size, "schedule": "model", "steps": 1, "database": database},
        device="cpu",
    )
    wake(pipeline.denoiser)
    return pipeline


def wake(denoiser):
    """Give the last layers weights: they begin at zero, and would hide all inputs."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in denoiser.parameters():
            if not weight.any():
                weight.normal_(std=0.1, generator=generator)


@pytest.fixture
def pipe():
    return make_pipeline()
