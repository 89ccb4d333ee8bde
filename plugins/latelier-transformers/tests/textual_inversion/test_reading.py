"""Embeddings in every form of file that people share."""

import pytest
import torch
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.errors import ModelFileError
from safetensors.torch import save_file

from latelier_transformers.textual_inversion.reading import bundle, read_embeddings


def vectors(n, width, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


L, G = vectors(2, 768), vectors(2, 1280)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"string_to_param.*": L}, {"file": {"clip_l": L}}),
        ({"string_to_param.*": L, "string_to_token.*": torch.tensor(265)}, {"file": {"clip_l": L}}),
        ({"emb_params": L}, {"file": {"clip_l": L}}),
        ({"emb_params": vectors(3, 1024)}, {"file": {"clip_h": vectors(3, 1024)}}),
        ({"emb_params": G}, {"file": {"clip_g": G}}),
        ({"<toy>": L}, {"<toy>": {"clip_l": L}}),
        ({"<toy>": L[0]}, {"<toy>": {"clip_l": L[:1]}}),
        ({"clip_l": L, "clip_g": G}, {"file": {"clip_l": L, "clip_g": G}}),
        ({"clip_g": G}, {"file": {"clip_g": G}}),
        (
            {
                "lora_unet_x.alpha": torch.tensor(1.0),
                "bundle_emb.toy.string_to_param.*": L,
                "bundle_emb.hat.clip_l": L,
                "bundle_emb.hat.clip_g": G,
                "bundle_emb.cat.v1.5.emb_params": G,
            },
            {"toy": {"clip_l": L}, "hat": {"clip_l": L, "clip_g": G}, "cat.v1.5": {"clip_g": G}},
        ),
    ],
)
def test_every_form_is_read(tensors, words):
    found = read_embeddings(tensors, "file")
    for each in (found, read_embeddings(bundle(found), "other")):
        assert each.keys() == words.keys()
        for word, encoders in words.items():
            assert each[word].keys() == encoders.keys()
            for encoder, expected in encoders.items():
                assert torch.equal(each[word][encoder], expected)


def test_files_are_read_from_disk(tmp_path):
    """A1111's pickle holds other things too, and no code is run for it."""
    whole = {"string_to_token": {"*": 265}, "string_to_param": {"*": L}, "name": "x", "step": 7}
    torch.save(whole, tmp_path / "toy.pt")
    torch.save({"<toy>": L[0]}, tmp_path / "learned_embeds.bin")
    save_file({"clip_l": L, "clip_g": G}, tmp_path / "xl.safetensors")
    for name, word, encoders in (
        ("toy.pt", "toy", {"clip_l"}),
        ("learned_embeds.bin", "<toy>", {"clip_l"}),
        ("xl.safetensors", "xl", {"clip_l", "clip_g"}),
    ):
        path = tmp_path / name
        found = read_embeddings(tensors_of(path), path.stem)
        assert found[word].keys() == encoders


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({}, "'file' has no vectors"),
        ({"a": L, "b": L}, "no file of textual inversion: it holds a, b"),
        ({"emb_params": vectors(1, 500)}, "'file' has vectors of width 500, which is that of no"),
        ({"emb_params": L[None]}, r"expected numbers of shape \(n, D\), got .* \(1, 2, 768\)"),
        ({"emb_params": torch.zeros(0, 768)}, r"got .* of shape \(0, 768\)"),
        ({"<toy>": torch.zeros(2, 768, dtype=torch.int64)}, r"'<toy>': .* got torch.int64"),
        ({"emb_params": L * torch.nan}, "'file' has values that are not finite"),
        ({"clip_l": L, "clip_g": G[:1]}, "as many vectors for each encoder, got {'clip_l': 2, 'c"),
        ({"bundle_emb.toy.other": L}, "expected the vectors of a word, got .*emb.toy.other'"),
        ({"bundle_emb.clip_l": L}, "got the tensor 'bundle_emb.clip_l'"),
    ],
)
def test_other_files_are_refused(tensors, message):
    with pytest.raises(ModelFileError, match=message):
        read_embeddings(tensors, "file")
