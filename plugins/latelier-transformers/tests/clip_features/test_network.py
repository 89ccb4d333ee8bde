import json
import shutil

import numpy as np
import pytest
import torch
from latelier.contracts.errors import InvalidInputError, ModelFileError
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessorPil

from latelier_transformers.clip_features.configs import ClipFeaturesConfig
from latelier_transformers.clip_features.network import ClipFeatures, prepare_picture

TEXTS = ["a red cat", "the white dog in a meadow"]


def load(folder):
    return ClipFeatures(ClipFeaturesConfig(weights=str(folder)))


@pytest.fixture(scope="module")
def clip(folder):
    return load(folder)


def processed(images, side):
    """Return what transformers' own processor makes of pictures."""
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    pictures = [np.moveaxis(image.numpy(), 0, -1) for image in images]
    return processor(images=pictures, return_tensors="pt", input_data_format="channels_last")[
        "pixel_values"
    ]


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (0, 1, 3, 2)])
def test_pictures_are_prepared_as_transformers_does(images, axes):
    images = images.permute(axes).contiguous()
    expected = processed(images, 32)
    found = torch.stack([prepare_picture(image, 32) for image in images])
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_features_of_pictures_agree_with_transformers(clip, published, images):
    with torch.no_grad():
        expected = published.get_image_features(pixel_values=processed(images, 32)).pooler_output
    found = clip(images)
    assert found.logits is None
    assert found.vectors.shape == (2, clip.width)
    torch.testing.assert_close(found.vectors, expected, rtol=1e-5, atol=1e-5)


def test_features_of_texts_agree_with_transformers(clip, published, clip_config):
    start, end = clip_config["bos_token_id"], clip_config["eos_token_id"]
    for text, found in zip(TEXTS, clip.embed_texts(TEXTS), strict=True):
        ids = torch.tensor([[start, *clip._encode(text), end]])
        with torch.no_grad():
            expected = published.get_text_features(input_ids=ids).pooler_output[0]
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_long_text_is_cut_between_start_and_end(clip):
    long = "a red cat " * 9
    assert clip.is_cut(long)
    assert not clip.is_cut("a red cat")
    words = " ".join(long.split()[:10])  # 12 positions, two of them for start and end
    assert torch.equal(clip.embed_texts([long]), clip.embed_texts([words]))


def test_name_and_identity_are_of_the_weights(clip, folder, tmp_path):
    assert clip.name == "CLIP small-clip"
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load(copy).identity == clip.identity
    state = load_file(copy / "model.safetensors")
    save_file({**state, "logit_scale": state["logit_scale"] + 1}, copy / "model.safetensors")
    assert load(copy).identity != clip.identity


def test_tables_of_positions_in_older_files_are_no_weights(clip, folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "older")
    state = load_file(copy / "model.safetensors")
    state["text_model.embeddings.position_ids"] = torch.arange(12)[None]
    (copy / "model.safetensors").unlink()
    torch.save(state, copy / "pytorch_model.bin")
    assert load(copy).identity == clip.identity


def test_other_pictures_are_an_error(clip):
    with pytest.raises(InvalidInputError, match="'clip' expects pictures uint8"):
        clip(torch.rand(1, 3, 32, 32))


def test_damaged_folders_are_clear_errors(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((copy / "config.json").read_text())
    for changes, text in (
        ({"vision_config": {"hidden_size": "wide"}}, r"vision_config: 'hidden_size'"),
        ({"text_config": None}, "expected a CLIP with 'text_config'"),
        ({"projection_dim": -1}, "expected a width as 'projection_dim', got -1"),
        ({"projection_dim": 21}, "do not fit"),
    ):
        (copy / "config.json").write_text(json.dumps({**config, **changes}))
        with pytest.raises(ModelFileError, match=text):
            load(copy)
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"expected model\.safetensors or pytorch_model"):
        load(copy)
    with pytest.raises(ModelFileError, match="expected a folder"):
        load(copy / "config.json")


def test_nothing_is_fetched():
    with pytest.raises(ModelFileError, match=r"hf download owner/clip$"):
        load("owner/clip")
