"""Listing presets and building them."""

import json

import pytest

PRESET = """
first_stage: {id: identity, config: {channels: 3}}
denoiser:
  id: unet
  config: {in_channels: 3, out_channels: 3, model_channels: 8, channel_mult: [1], num_heads: 1,
           num_groups: 4, context_dim: 8, streams: {text: {width: 8, injection: native}}}
conditioners:
  text: {id: bert_text, config: {n_embed: 8, n_layer: 0, vocab_size: 6}}
inputs: {prompt: text}
process: {kind: vp}
defaults: {size: 8, steps: 1}
"""


def test_presets_are_listed(cli):
    rows = {row["name"]: row for row in json.loads(cli("models", "presets", "--json").out)}
    assert rows["cin256-v2"]["task"] == "class"
    assert rows["cin256-v2"]["size"] == 256
    assert rows["cin256-v2"]["parameters"] == 55_322_782 + 400_920_579 + 512_512
    assert rows["kl-f8"]["parts"] == {"first_stage": "latelier/autoencoder_kl"}
    head, *lines = cli("models", "presets").out.splitlines()
    assert head.split()[:2] == ["PRESET", "TASK"]
    assert len(lines) == len(rows)


def test_a_preset_is_built_and_makes_a_picture(cli, tmp_path):
    (tmp_path / "mine.yaml").write_text(PRESET)
    (tmp_path / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat"]))
    asset = f"text={tmp_path / 'vocab.txt'}"
    model = tmp_path / "model"
    done = cli("models", "build", tmp_path / "mine.yaml", model, "--seed", 3, "--asset", asset)
    assert (done.status, done.out.strip()) == (0, str(model))
    made = cli("generate", "a cat", "--model", model, "-o", tmp_path / "cat.png")
    assert made.status == 0
    assert (tmp_path / "cat.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("kl-f9",), "preset 'kl-f9' not found"),
        (("none.yaml",), "none.yaml: not found"),
        (("kl-f8", "--asset", "text"), "--asset: 'text' is not CONDITIONER=FILE"),
        (("kl-f8", "--asset", "text=none.txt"), "--asset: none.txt: No such file"),
        (("kl-f4", "--dtype", "float31"), "float31"),
    ],
)
def test_invalid_builds_are_refused(cli, tmp_path, arguments, why):
    preset, *options = arguments
    done = cli("models", "build", preset, tmp_path / "made", *options)
    assert done.status == 2
    assert done.err.startswith("error: ")
    assert why in done.err
    assert not (tmp_path / "made").exists()
