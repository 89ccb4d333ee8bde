"""Weights are mapped from disk, not copied: they take no memory of their own."""

from pathlib import Path

import pytest
import torch
from torch import nn

from latelier.checkpoints.component import load_component, new_component, save_component
from latelier.checkpoints.io.weights import (
    build_on_meta,
    load_into,
    read_weights,
    write_weights,
)

STATUS = Path("/proc/self/status")
MEBIBYTE = 2**20

LARGE = [
    (
        "denoiser",
        "unet",
        {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": 128,
            "num_heads": 4,
            "channel_mult": [1, 2],
            "num_res_blocks": 1,
            "attention_resolutions": [],
        },
    ),
    (
        "first_stage",
        "autoencoder_kl",
        {
            "ch": 128,
            "ch_mult": [1, 2],
            "num_res_blocks": 1,
            "embed_dim": 4,
            "z_channels": 4,
            "attn_type": "none",
        },
    ),
    ("conditioner", "bert_text", {"n_embed": 512, "n_layer": 1, "vocab_size": 20000}),
]
"""Components of more than 16 MiB in float16: kind, id, configuration."""


def own_memory() -> int:
    """Return the bytes that this process holds itself, mapped files not counted."""
    line = next(x for x in STATUS.read_text().splitlines() if x.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux counts it")
def test_loaded_weights_are_mapped_from_the_file(tmp_path):
    write_weights(tmp_path / "w.safetensors", {"weight": torch.ones(4096, 8192)})
    before = own_memory()
    module = build_on_meta(lambda: nn.Linear(8192, 4096, bias=False))
    load_into(module, read_weights(tmp_path / "w.safetensors"), "w")
    with torch.no_grad():
        assert float(module.weight[::64].sum()) == 64 * 8192
        assert float(module(torch.ones(1, 8192)).mean()) == 8192
    assert own_memory() - before < 32 * MEBIBYTE
    held = module.weight.clone()
    assert own_memory() - before > 64 * MEBIBYTE  # what a copy would have taken
    del held


@pytest.mark.skipif(not STATUS.exists(), reason="only Linux counts it")
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("kind", "id_", "config"), LARGE, ids=lambda each: str(each)[:16])
def test_a_component_takes_no_memory_of_its_own_before_it_is_used(
    tmp_path, built_ins, kind, id_, config, dtype
):
    component = new_component(kind, id_, config, built_ins)
    halved = component.converted(torch.float16)  # both stay: what they free could be reused below
    save_component(tmp_path, halved)
    size = (tmp_path / f"{kind}.safetensors").stat().st_size
    assert size > 16 * MEBIBYTE
    before = own_memory()
    loaded = load_component(tmp_path, kind, built_ins).to(torch.device("cpu"), dtype)
    assert own_memory() - before < size / 4
    assert loaded.config == component.config
