"""What transformers itself writes of a tokenizer is read, whatever files that makes."""

import json

import pytest

from latelier.checkpoints.importers.diffusers.tokenizer_files import padding_token, tokenizer_file
from latelier.contracts.errors import ModelFileError

transformers = pytest.importorskip("transformers")

CLIP = ["a", "b</w>", "ab</w>", "!", "ü</w>", "<|startoftext|>", "<|endoftext|>"]
BERT = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "##s"]


def clip(folder, **options):
    vocab = {token: number for number, token in enumerate(CLIP)}
    transformers.CLIPTokenizer(vocab=vocab, merges=[("a", "b</w>")], **options).save_pretrained(
        folder
    )


def test_a_clip_tokenizer_is_read_from_one_file(tmp_path):
    clip(tmp_path, pad_token="!")
    assert not (tmp_path / "vocab.json").exists()
    assert list(json.loads(tokenizer_file(tmp_path, "vocab.json"))) == CLIP
    assert tokenizer_file(tmp_path, "merges.txt") == b"#version: 0.2\na b</w>\n"
    assert padding_token(tmp_path, "silent") == "!"


def test_a_bert_tokenizer_is_read_from_one_file(tmp_path):
    vocab = {token: number for number, token in enumerate(BERT)}
    transformers.BertTokenizer(vocab=vocab).save_pretrained(tmp_path)
    assert not (tmp_path / "vocab.txt").exists()
    assert tokenizer_file(tmp_path, "vocab.txt").decode().split() == BERT


def test_separate_files_take_precedence(tmp_path):
    clip(tmp_path)
    (tmp_path / "vocab.json").write_text('{"x": 0}')
    (tmp_path / "special_tokens_map.json").write_text('{"pad_token": {"content": "x"}}')
    assert tokenizer_file(tmp_path, "vocab.json") == b'{"x": 0}'
    assert padding_token(tmp_path, "silent") == "x"


def test_a_missing_padding_token_has_a_default(tmp_path):
    assert padding_token(tmp_path, "silent") == "silent"
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": null}')
    assert padding_token(tmp_path, "silent") == "silent"


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("vocab.json", {"vocab": 3}),
        ("vocab.json", "BPE"),
        ("merges.txt", {"vocab": {}}),
        ("merges.txt", {"merges": [3]}),
        ("vocab.txt", {"vocab": {"a": 0, "b": 2}}),
    ],
)
def test_damaged_files_are_refused(tmp_path, name, model):
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}))
    with pytest.raises(ModelFileError, match=f"tokenizer.json: {name} cannot be rebuilt from it"):
        tokenizer_file(tmp_path, name)


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(ModelFileError, match=r"vocab\.json: cannot be read: No such file"):
        tokenizer_file(tmp_path, "vocab.json")
