"""What a text encoder's folder says beyond its weights is followed, reported or refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from latelier.checkpoints.importers.diffusers.text_encoders import clip_option_notes
from latelier.checkpoints.importers.diffusers.text_options import size_notes
from latelier.checkpoints.importers.diffusers.tokenizer_files import (
    added_tokens,
    padding_token,
    read_vocabulary,
)
from latelier.contracts.errors import LatelierError, ModelFileError

START, END = "<|startoftext|>", "<|endoftext|>"
ENCODER = {
    "model_type": "clip_text_model",
    "architectures": ["CLIPTextModel"],
    "hidden_act": "quick_gelu",
    "hidden_size": 64,
    "max_position_embeddings": 77,
    "projection_dim": 64,
    "torch_dtype": "float32",
    "vocab_size": 4,
    "_name_or_path": "x",
}
FILES: dict[str, Any] = {
    "vocab.json": {"a": 0, "b": 1, START: 2, END: 3},
    "tokenizer_config.json": {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "do_lower_case": True,
        "pad_token": END,
    },
    "special_tokens_map.json": {"bos_token": {"content": START}, "eos_token": END},
}


def folders(root: Path, encoder: dict[str, Any], **changes: Any) -> tuple[Path, Path]:
    """Write a text encoder's configuration and a tokenizer, with changes to files by stem."""
    (root / "text_encoder").mkdir()
    (root / "tokenizer").mkdir()
    (root / "text_encoder" / "config.json").write_text(json.dumps({**ENCODER, **encoder}))
    files = {**FILES, **{f"{stem}.json": {} for stem in changes if f"{stem}.json" not in FILES}}
    for name, values in files.items():
        changed = values | changes.get(name.removesuffix(".json"), {})
        (root / "tokenizer" / name).write_text(json.dumps(changed))
    return root / "text_encoder", root / "tokenizer"


def test_a_usual_folder_has_no_notes(tmp_path):
    assert clip_option_notes(*folders(tmp_path, {})) == []


NOTED = [
    ({"use_attention_mask": True}, {}, "use_attention_mask is not followed"),
    ({"gated": True}, {}, "option 'gated' is unknown"),
    ({}, {"tokenizer_config": {"model_max_length": 64}}, "model_max_length 64 is not followed"),
    ({}, {"tokenizer_config": {"model_max_length": 10**30}}, "model_max_length 1e+30 is not"),
    ({"max_position_embeddings": 64}, {}, "texts have 64 tokens"),
    ({}, {"tokenizer_config": {"do_lower_case": False}}, "texts are lower-cased"),
    ({}, {"tokenizer": {"normalizer": {"type": "NFC"}}}, "texts are lower-cased"),
    ({}, {"tokenizer_config": {"padding_side": "left"}}, "padding_side is not followed"),
]


@pytest.mark.parametrize(("encoder", "tokenizer", "note"), NOTED)
def test_an_option_that_is_not_followed_is_reported(tmp_path, encoder, tokenizer, note):
    (found,) = clip_option_notes(*folders(tmp_path, encoder, **tokenizer))
    assert note in found


REFUSED = [
    ({"quantization_config": {"bits": 4}}, {}, "config.json: quantization_config"),
    ({"model_type": "t5"}, {}, "text encoder 't5' is not supported"),
    *[({"num_hidden_layers": value}, {}, "num_hidden_layers") for value in (0, 10**9, "12", 1.5)],
    *[({"num_attention_heads": value}, {}, "num_attention_heads") for value in (0, -1, 10**9)],
    *[({"layer_norm_eps": value}, {}, "layer_norm_eps") for value in (0, "1e-5", float("nan"))],
    *[
        ({}, {"tokenizer_config": {"model_max_length": value}}, "json: model_max_length")
        for value in (0, -1, "77", None, True)
    ],
    ({}, {"tokenizer_config": {"tokenizer_class": "T5Tokenizer"}}, "tokenizer_class: 'T5Tok"),
    ({}, {"tokenizer_config": {"bos_token": "<s>"}}, "tokenizer_config.json: bos_token"),
    ({}, {"special_tokens_map": {"eos_token": "</s>"}}, "special_tokens_map.json: eos_token"),
]


@pytest.mark.parametrize(("encoder", "tokenizer", "reason"), REFUSED)
def test_a_value_that_changes_what_texts_mean_is_refused(tmp_path, encoder, tokenizer, reason):
    with pytest.raises(LatelierError, match=reason):
        clip_option_notes(*folders(tmp_path, encoder, **tokenizer))


@pytest.mark.parametrize("value", ["x", -1, 1.5, True, None])
def test_an_id_that_is_not_a_whole_number_is_refused(tmp_path, value):
    _, tokenizer = folders(tmp_path, {}, vocab={"a": value})
    with pytest.raises(ModelFileError, match=r"vocab.json: expected an id of 'a'"):
        read_vocabulary(tokenizer)


def test_the_padding_may_be_an_added_token(tmp_path):
    changes = {
        "tokenizer_config": {"pad_token": {"content": "[PAD]"}},
        "added_tokens": {"[PAD]": 4},
    }
    _, tokenizer = folders(tmp_path, {}, **changes)
    assert added_tokens(tokenizer)[padding_token(tokenizer, END)] == 4


def test_a_token_with_two_ids_is_refused(tmp_path):
    _, tokenizer = folders(tmp_path, {}, added_tokens={"b": 7})
    with pytest.raises(ModelFileError, match=r"'b' is 1 in vocab.json and 7 among the added"):
        added_tokens(tokenizer)


def test_sizes_that_differ_between_files_are_reported():
    found = {"vocab_size": 6, "hidden_size": 64}
    assert size_notes({"vocab_size": 6, "hidden_size": 64}, found, 6) == []
    wrong, unused = size_notes({"vocab_size": 5, "hidden_size": 64}, found, 4)
    assert "says vocab_size: 5, its weights 6" in wrong
    assert "6 rows of tokens, the tokenizer 4 tokens: no text uses the last 2" in unused
