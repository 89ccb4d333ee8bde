"""The hub and the disk agree on which files hold the weights of a component."""

from itertools import combinations
from types import SimpleNamespace

import pytest

from latelier.checkpoints.importers.diffusers.folder import read_component_weights
from latelier.checkpoints.importers.diffusers.weight_names import TEXT_STEMS, find_weight_files
from latelier.checkpoints.importers.hub import weights_of_folders
from latelier.contracts.errors import ModelFileError

NAMES = (
    "model.safetensors",
    "model.fp16.safetensors",
    "model.fp16.bin",
    "pytorch_model.bin",
    "pytorch_model.fp32.bin",
    "diffusion_pytorch_model.fp32.safetensors",
)


@pytest.mark.parametrize("names", [*combinations(NAMES, 1), *combinations(NAMES, 2), NAMES])
def test_the_file_that_is_fetched_is_the_file_that_is_read(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    read = []
    source = SimpleNamespace(tensors_of=lambda path: read.append(f"text_encoder/{path.name}") or {})
    read_component_weights(source, tmp_path, *TEXT_STEMS)
    assert weights_of_folders([f"text_encoder/{name}" for name in names], ["text_encoder"]) == read


@pytest.mark.parametrize(
    ("index", "shard"),
    [
        ("m.safetensors.index.json", "m-00001-of-00002.safetensors"),
        ("m.safetensors.index.fp16.json", "m.fp16-00001-of-00002.safetensors"),
        ("m.bin.index.fp16.json", "m-00001-of-00002.fp16.bin"),
    ],
)
def test_an_index_has_the_shards_of_its_variant(index, shard):
    others = ["m-00001-of-00002.ema.safetensors", "mm-00001-of-00002.bin", "m-1-of-2.bf16.bin"]
    assert find_weight_files([index, shard, *others], "m") == [shard]


def test_unknown_variants_are_not_weights(tmp_path):
    names = ["model.int4.safetensors", "optimizer.bin"]
    assert find_weight_files(names, *TEXT_STEMS) == []
    with pytest.raises(ModelFileError, match="holds no weights called model or pytorch_model"):
        read_component_weights(SimpleNamespace(), tmp_path, *TEXT_STEMS)
