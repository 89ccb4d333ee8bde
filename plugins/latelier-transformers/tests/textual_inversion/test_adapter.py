"""Embeddings as adapters of a pipeline: files, views, saving and replay."""

import pytest
import torch
from latelier import load
from latelier.checkpoints.adapter_files import read_adapter_file
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.lora.writing import own_tensors
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    InvalidInputError,
    ModelFileError,
)
from latelier.nn.low_rank import LowRank
from latelier.pipeline.replay.replay import replay
from safetensors.torch import save_file

from latelier_transformers.textual_inversion.adapter import TextualInversion

from ..test_pipeline import composed, pixels, same

TABLE = "text_model.embeddings.token_embedding.weight"
ASKED = {"prompt": "a red toy in the sea", "seed": 5}


def vectors(n=2, width=16, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def pipeline(atelier, clip_config, clip_tokenizer):
    return composed(atelier, "clip_text", clip_config, clip_tokenizer)


@pytest.fixture(scope="module")
def folder(pipeline, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    pipeline.save(path)
    return path


@pytest.fixture
def file(tmp_path):
    save_file({"clip_l": vectors()}, tmp_path / "toy.safetensors")
    return tmp_path / "toy.safetensors"


def make_lora(pipeline):
    layers = find_layers(pipeline.base_modules())
    return Lora(
        {
            address: LowRank(torch.ones(1, 16) * 0.1, torch.ones(len(each.weight), 1) * 0.1, 1.0)
            for address, each in layers.items()
            if address.endswith(("q_proj", "attn2.to_k"))
        }
    ).requires_grad_(False)


def test_a_view_knows_the_word_and_shares_the_rest(pipeline, file):
    before = pixels(pipeline.generate(**ASKED))
    view = pipeline.with_adapter(file)
    assert not same(pixels(view.generate(**ASKED)), before)
    assert same(
        pixels(view.generate(prompt="a cat", seed=1)),
        pixels(pipeline.generate(prompt="a cat", seed=1)),
    )
    assert same(pixels(pipeline.generate(**ASKED)), before)
    assert same(pixels(pipeline.with_adapter(file, 0).generate(**ASKED)), before)
    own = view.conditioners["text"].state_dict()
    for name, tensor in pipeline.conditioners["text"].state_dict().items():
        assert (own[name].data_ptr() == tensor.data_ptr()) == (name != TABLE), name
    assert view.inputs == pipeline.inputs


def test_a_saved_view_keeps_the_word(pipeline, atelier, file, tmp_path):
    view = pipeline.with_adapter(file)
    view.save(tmp_path / "view")
    again = load(tmp_path / "view", "cpu", "float32", atelier=atelier)
    assert same(pixels(again.generate(**ASKED)), pixels(view.generate(**ASKED)))
    assert same(
        pixels(again.with_adapters({}).generate(**ASKED)), pixels(pipeline.generate(**ASKED))
    )


def test_a_picture_is_made_again(folder, atelier, file, tmp_path):
    view = load(folder, "cpu", "float32", atelier=atelier).with_adapter(file)
    (picture,) = view.generate(**ASKED)
    picture.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", atelier=atelier).verdict == "identical"


def test_merged_words_are_the_models_own(pipeline, atelier, file, tmp_path):
    view = pipeline.with_adapter(file)
    merged = view.with_merged_weights()
    assert not merged.adapters
    merged.save(tmp_path / "merged")
    again = load(tmp_path / "merged", "cpu", "float32", atelier=atelier)
    assert same(pixels(again.generate(**ASKED)), pixels(view.generate(**ASKED)))


def test_another_precision_knows_the_word(pipeline, file):
    view = pipeline.with_adapter(file).to(dtype="bfloat16")
    assert not same(
        pixels(view.generate(**ASKED)), pixels(view.with_adapters({}).generate(**ASKED))
    )


def test_a_pickle_is_read_in_a_sandbox(pipeline, file, tmp_path):
    torch.save({"clip_l": vectors()}, tmp_path / "toy.pt")
    view = pipeline.with_adapter(tmp_path / "toy.pt")
    assert view.adapters.keys() == {"toy"}
    assert same(
        pixels(view.generate(**ASKED)), pixels(pipeline.with_adapter(file).generate(**ASKED))
    )


def test_words_come_with_a_lora(pipeline, atelier, tmp_path):
    lora = make_lora(pipeline)
    bundled = {"bundle_emb.toy.clip_l": vectors(), "bundle_emb.hat.clip_l": vectors(1)}
    save_file({**own_tensors(lora.layers), **bundled}, tmp_path / "style.safetensors")
    save_file(own_tensors(lora.layers), tmp_path / "lora.safetensors")
    save_file(bundled, tmp_path / "words.safetensors")
    view = pipeline.with_adapter(tmp_path / "style.safetensors", 0.5)
    apart = pipeline.with_adapter(tmp_path / "lora.safetensors", 0.5)
    apart = apart.with_adapter(tmp_path / "words.safetensors")
    asked = {"prompt": "a toy in a hat", "seed": 5}
    assert same(pixels(view.generate(**asked)), pixels(apart.generate(**asked)))
    view.save(tmp_path / "view")
    again = load(tmp_path / "view", "cpu", "float32", atelier=atelier)
    assert same(pixels(again.generate(**asked)), pixels(view.generate(**asked)))


def test_the_word_of_a_pair_is_known_to_both(atelier, pair_config, clip_tokenizer, tmp_path):
    conditioner = atelier.conditioners.build("clip_pair_text", pair_config)
    conditioner.set_assets(clip_tokenizer)
    model = {"denoiser": torch.nn.Identity(), "conditioners.text": conditioner}
    save_file({"clip_l": vectors(), "clip_g": vectors(width=24)}, tmp_path / "toy.safetensors")
    adapter = read_adapter_file(tmp_path / "toy.safetensors", model, atelier).adapter.module
    view = adapter.extend(conditioner)
    size = pair_config["clip_l"]["vocab_size"]
    tokens = view.prepare([view.Input(text="a toy")], None)
    for name in ("clip_l", "clip_g"):
        assert tokens[f"{name}.tokens"][0, 2:4].tolist() == [size, size + 1]
    assert adapter.config.words == {"toy": 2}
    save_file({"clip_l": vectors()}, tmp_path / "toy.safetensors")
    with pytest.raises(CompatibilityError, match=r"toy\.safetensors: .* a pair of text encoders"):
        read_adapter_file(tmp_path / "toy.safetensors", model, atelier)


@pytest.mark.parametrize(
    ("shapes", "is_one"),
    [
        ({"<toy>": (768,)}, True),
        ({"emb_params": (2, 500)}, True),  # whose error says the width
        ({"<toy>": (2, 500)}, False),
        ({"x.lora_up.weight": (320, 768)}, False),  # one half of a LoRA
        ({"a": (2, 768), "b": (2, 768)}, False),
        ({"string_to_token.*": ()}, False),
        ({"x.lora_up.weight": (320, 4), "bundle_emb.toy.clip_l": (2, 768)}, True),
    ],
)
def test_files_are_recognized_by_names_and_shapes(shapes, is_one):
    assert TextualInversion.recognizes(shapes) == is_one


def test_an_encoder_of_another_width_stays_as_it_is(atelier, clip, new_clip, tmp_path):
    wider = new_clip(hidden_size=24)
    model = {"conditioners.wide": wider, "conditioners.text": clip}
    save_file({"clip_l": vectors()}, tmp_path / "toy.safetensors")
    adapter = read_adapter_file(tmp_path / "toy.safetensors", model, atelier).adapter.module
    assert adapter.extend(wider) is wider
    assert adapter.extend(clip).config.vocab_size == clip.config.vocab_size + 2


class TestFaults:
    def test_another_width_is_named(self, pipeline, tmp_path):
        save_file({"emb_params": vectors(width=768)}, tmp_path / "toy.safetensors")
        with pytest.raises(CompatibilityError, match=r"'toy' has vectors of width 768 .* 16"):
            pipeline.with_adapter(tmp_path / "toy.safetensors")

    def test_a_model_without_clip_is_named(self, atelier, t5_config, spiece, file):
        pipeline = composed(atelier, "t5_text", t5_config, {"spiece.model": spiece})
        with pytest.raises(CompatibilityError, match="no CLIP text encoder"):
            pipeline.with_adapter(file)

    def test_nan_is_refused(self, pipeline, tmp_path):
        save_file({"clip_l": vectors() * float("nan")}, tmp_path / "toy.safetensors")
        with pytest.raises(ModelFileError, match=r"toy\.safetensors: .*not finite"):
            pipeline.with_adapter(tmp_path / "toy.safetensors")

    def test_a_word_of_the_tokenizer_is_named_with_its_file(self, pipeline, tmp_path):
        save_file({"clip_l": vectors()}, tmp_path / "x.safetensors")
        with pytest.raises(InvalidConfigError, match=r"x\.safetensors: expected a word .*got 'x'"):
            pipeline.with_adapter(tmp_path / "x.safetensors")

    def test_words_have_no_scale(self, pipeline, file):
        with pytest.raises(InvalidInputError, match="adds words, which have no scale"):
            pipeline.with_adapter(file, 0.5)
