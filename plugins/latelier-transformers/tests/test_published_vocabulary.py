"""The vocabulary that is shipped: nothing needs to lie beside a single file."""

import hashlib
import json

import pytest
import torch
from latelier import PictureGeometry
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.text.inputs import Text

from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.published_vocabulary import published_vocabulary

SMALL = {
    "hidden_size": 8,
    "intermediate_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
}


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("A Photo  of a\nCAT", [320, 1125, 539, 320, 2368]),
        ("!", [256]),
        ("1girl, 2", [272, 1611, 267, 273]),
    ],
)
def test_ids_are_the_known_ones(text, ids):
    assert published_vocabulary().encode(text) == ids


def test_the_files_are_those_that_were_published():
    """SHA-256 of openai/clip-vit-large-patch14's merges; its vocab.json has the same pairs."""
    files = published_vocabulary().files
    vocab = json.loads(files["vocab.json"])
    assert len(vocab) == 49408
    assert sorted(vocab.values()) == list(range(49408))
    assert (vocab["!"], vocab[",</w>"], vocab["<|endoftext|>"]) == (0, 267, 49407)
    assert hashlib.sha256(files["merges.txt"]).hexdigest() == (
        "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a"
    )


@pytest.mark.parametrize("rows", [49408, 49410])
def test_a_conditioner_of_these_ids_needs_no_files(rows):
    conditioner = ClipTextConditioner(ClipTextConfig(**SMALL, vocab_size=rows))
    tokens = conditioner.prepare([Text(text="a cat")], PictureGeometry((8, 8), (1, 1)))["tokens"]
    assert tokens[0, :5].tolist() == [49406, 320, 2368, 49407, 49407]
    assert conditioner.assets().keys() == {"vocab.json", "merges.txt"}
    assert torch.equal(tokens[0, 5:], torch.full((72,), 49407))


def test_files_replace_it(clip_config, clip_tokenizer):
    with pytest.raises(InvalidConfigError, match=r"is \d+ in the tokenizer, not bos_token_id"):
        ClipTextConditioner(ClipTextConfig(**SMALL)).set_assets(clip_tokenizer)
    conditioner = ClipTextConditioner(ClipTextConfig(**clip_config))
    assert conditioner.assets() == {}
    conditioner.set_assets(clip_tokenizer)
    assert conditioner.assets() == clip_tokenizer
