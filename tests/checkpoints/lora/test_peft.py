"""Ranks of layers, and the header of a file, as peft's configuration has them."""

from pathlib import Path

import pytest
import torch

from latelier.checkpoints.io.weights import write_weights
from latelier.checkpoints.lora.peft import PeftScales
from latelier.contracts.errors import ModelFileError

LAYER = "unet.mid_block.attn.to_q"


@pytest.mark.parametrize(
    ("config", "rank"),
    [
        ({}, None),
        ({"r": 4}, 4),
        ({"r": 4, "rank_pattern": {"attn.to_q": 8, "to_q": 2}}, 8),
        ({"r": 4, "rank_pattern": {"to_k": 8}}, 4),
    ],
)
def test_the_first_pattern_that_fits_tells_the_rank(config, rank):
    assert PeftScales(config, Path("a.json")).rank(LAYER) == rank


@pytest.mark.parametrize("rank", [-1, 2.5, "4", None])
def test_an_impossible_rank_is_an_error(rank):
    with pytest.raises(ModelFileError, match=r"a\.json: expected a .*number as r, got"):
        PeftScales({"r": rank}, Path("a.json")).rank(LAYER)


def test_scales_are_read_again_from_the_header_of_a_file(tmp_path):
    config = {"unet.r": 2, "unet.lora_alpha": 6.0, "unet.use_rslora": True}
    path = tmp_path / "a.safetensors"
    write_weights(path, {"a": torch.ones(1)}, PeftScales(config, path).metadata())
    found = PeftScales.read(path)
    assert found.alpha(LAYER, 4) == 6.0 * 4**0.5
    assert found.metadata() == PeftScales(config, path).metadata()
    assert PeftScales({}, path).metadata() == {}
