"""Presets become pipelines and folders: with weights of their seed, whole or not at all."""

import json

import pytest
import torch

import latelier
from latelier.checkpoints.component import load_component
from latelier.contracts.errors import InvalidConfigError, InvalidInputError, UnknownNameError
from latelier.conversion.building import build, build_model

MODEL = {
    "description": "A tiny one.",
    "first_stage": {"id": "identity", "config": {"channels": 3}},
    "denoiser": {
        "id": "unet",
        "config": {
            "in_channels": 3,
            "out_channels": 3,
            "model_channels": 8,
            "channel_mult": [1, 2],
            "num_res_blocks": 1,
            "num_heads": 1,
            "num_groups": 4,
            "context_dim": 8,
            "streams": {"text": {"width": 8, "injection": "native"}},
        },
    },
    "conditioners": {"text": {"id": "bert_text", "config": {"n_embed": 8, "n_layer": 1}}},
    "inputs": {"prompt": "text"},
    "process": {"kind": "vp"},
    "defaults": {"size": 8, "steps": 2},
}
VOCABULARY = "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat"])


@pytest.fixture
def written(tmp_path):
    def write(**changes):
        path = tmp_path / "preset.yaml"
        path.write_text(json.dumps({**MODEL, **changes}))  # JSON is YAML
        return path

    return write


def weights_of(pipeline):
    return torch.cat([p.flatten() for p in pipeline.denoiser.parameters()])


def with_vocabulary(size):
    return {"text": {"id": "bert_text", "config": {"n_embed": 8, "n_layer": 1, "vocab_size": size}}}


def test_the_weights_are_those_of_the_seed(written, built_ins):
    state = torch.get_rng_state()
    options = {"device": "cpu", "atelier": built_ins}
    one, again, other = (build(written(), seed=seed, **options) for seed in (1, 1, 2))
    assert torch.equal(weights_of(one), weights_of(again))
    assert not torch.equal(weights_of(one), weights_of(other))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_model_is_written_with_its_assets_and_samples(written, tmp_path, built_ins):
    path = written(conditioners=with_vocabulary(6))
    assets = {"text": {"vocab.txt": VOCABULARY.encode()}}
    folder = build_model(path, tmp_path / "made", assets=assets, atelier=built_ins)
    pipe = latelier.load(folder, device="cpu", atelier=built_ins)
    assert pipe.description == "A tiny one."
    assert pipe.generate(prompt="a cat", seed=1)[0].image.size == (8, 8)


def test_a_missing_vocabulary_is_a_warning(written, built_ins, caplog):
    path = written(conditioners=with_vocabulary(6))
    build(path, device="cpu", atelier=built_ins)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("the conditioner 'text' has no vocabulary or other files yet")
    assert "--asset text=FILE" in line
    caplog.clear()
    assets = {"text": {"vocab.txt": VOCABULARY.encode()}}
    build(path, assets=assets, device="cpu", atelier=built_ins)
    assert not caplog.records


def test_a_single_first_stage_becomes_a_component(tmp_path, built_ins):
    path = tmp_path / "first.yaml"
    path.write_text("first_stage: {id: autoencoder_kl, config: {ch: 8, num_groups: 4}}")
    folder = build_model(path, tmp_path / "made", dtype="bfloat16", atelier=built_ins)
    component = load_component(folder, "first_stage", built_ins)
    assert {p.dtype for p in component.module.parameters()} == {torch.bfloat16}
    with pytest.raises(InvalidConfigError, match=r"first stage alone.*latelier models build"):
        build(path, atelier=built_ins)


def test_an_existing_folder_is_replaced_only_on_request(written, tmp_path, built_ins):
    build_model(written(), tmp_path / "made", atelier=built_ins)
    with pytest.raises(InvalidInputError, match="made: already exists"):
        build_model(written(), tmp_path / "made", atelier=built_ins)
    build_model(written(description="Another."), tmp_path / "made", force=True, atelier=built_ins)
    assert latelier.load(tmp_path / "made", atelier=built_ins).description == "Another."


def test_a_missing_plugin_is_named_before_anything_is_built(tmp_path, built_ins):
    with pytest.raises(UnknownNameError, match=r"pip install ./plugins/latelier-transformers in a"):
        build_model("sd-v1", tmp_path / "made", atelier=built_ins)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("assets", "why"),
    [
        ({"txt": {}}, "no conditioner 'txt'. Did you mean 'text'"),
        ({"text": {"vocab.txt": b"[PAD]"}}, "vocabulary"),
    ],
)
def test_invalid_assets_are_refused(written, tmp_path, built_ins, assets, why):
    with pytest.raises(latelier.LatelierError, match=why):
        build_model(written(), tmp_path / "made", assets=assets, atelier=built_ins)
    assert not (tmp_path / "made").exists()


def test_unexpected_asset_files_are_refused(written, built_ins):
    label = {"text": {"id": "class_label", "config": {"num_classes": 2, "width": 8}}}
    with pytest.raises(InvalidInputError, match="'text' takes no file 'a'"):
        build(written(conditioners=label), assets={"text": {"a": b""}}, atelier=built_ins)
