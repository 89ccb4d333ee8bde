import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.io.hashing import sha256_of
from latelier.metrics.networks import inception_features
from latelier.metrics.networks.configs import InceptionConfig
from latelier.metrics.networks.inception_features import (
    FID_NETWORK,
    PUBLISHED_SHA256,
    UNKNOWN_INCEPTION,
    InceptionFeatures,
)

from .conftest import draw_pictures


def load(path: Path, **fields: str) -> InceptionFeatures:
    return InceptionFeatures(InceptionConfig(weights=str(path), **fields))


@pytest.fixture(scope="module")
def network(inception_file) -> InceptionFeatures:
    return load(inception_file)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (320, 300)])
def test_it_agrees_with_torch_fidelity(network, inception_file, run_peer, height, width):
    images = draw_pictures(height, width)
    found = network(images)
    features, logits = run_peer("networks:inception", weights=str(inception_file), images=images)
    assert features.std() > 0.1
    assert (found.vectors - features).norm() < 1e-5 * features.norm()
    assert (found.logits - logits).norm() < 1e-5 * logits.norm()


def test_weights_are_the_same_in_safetensors_and_without_counters(
    network, inception_file, tmp_path
):
    state = torch.load(inception_file, weights_only=True)
    path = tmp_path / "inception.safetensors"
    save_file({k: v for k, v in state.items() if "num_batches" not in k}, path)
    assert load(path).identity == network.identity
    save_file({**state, "fc.bias": state["fc.bias"] + 1}, path)
    assert load(path).identity != network.identity


def test_the_rule_of_resizing_is_in_the_name_and_the_identity(network, inception_file):
    clean = load(inception_file, resize="bicubic_antialias")
    assert clean.name == f"{network.name}, resized as clean-fid"
    assert clean.identity != network.identity
    images = draw_pictures(320, 300)
    assert not torch.allclose(clean(images).vectors, network(images).vectors, rtol=1e-3)


def test_only_the_published_file_is_the_inception_of_fid(network, inception_file, monkeypatch):
    assert network.name == UNKNOWN_INCEPTION
    own = sha256_of(inception_file)[: len(PUBLISHED_SHA256)]
    monkeypatch.setattr(inception_features, "PUBLISHED_SHA256", own)
    assert load(inception_file).name == FID_NETWORK


def test_without_a_rule_pictures_have_the_size_of_the_network(network, inception_file):
    as_they_are = load(inception_file, resize="none")
    images = draw_pictures(299, 299)
    assert torch.equal(as_they_are(images).vectors, network(images).vectors)
    with pytest.raises(InvalidInputError, match="299 x 299 pixels, got 64 x 32; choose another"):
        as_they_are(draw_pictures(32, 64))


def test_other_pictures_are_an_error(network):
    for images in (torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64, dtype=torch.uint8)):
        with pytest.raises(InvalidInputError, match=re.escape("uint8 (B, 3, H, W)")):
            network(images)


def test_weights_of_another_network_are_an_error(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"fc.weight": torch.zeros(1000, 2048)}, path)
    with pytest.raises(ModelFileError, match=r"expected the Inception of FID.*\(1000, 2048\)"):
        load(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ModelFileError, match="got no such tensor"):
        load(path)
    with pytest.raises(ModelFileError, match="is a folder"):
        load(tmp_path)


def test_a_file_of_the_hub_that_was_not_fetched_is_an_error():
    with pytest.raises(ModelFileError, match=r"hf download owner/fid inception\.pth"):
        InceptionFeatures(InceptionConfig(weights="owner/fid/inception.pth"))
