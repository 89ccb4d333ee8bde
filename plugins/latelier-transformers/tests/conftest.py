"""Small encoders with tokenizers made here, and an atelier that has the plugin."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import sentencepiece
import torch
from latelier import Atelier
from latelier.kernel.trust.policy import Policy
from tokenizers.pre_tokenizers import ByteLevel

from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.plugin import plugin
from latelier_transformers.t5_text.conditioner import T5TextConditioner
from latelier_transformers.t5_text.inputs import T5TextConfig

WORDS = ("red", "blue", "cat", "dog", "apple", "meadow", "sea", "a", "in", "the", "on", "white")


def clip_files() -> dict[str, bytes]:
    """Return a tokenizer as CLIP's files have it: bytes, their word ends, merges, two specials."""
    letters = sorted(ByteLevel.alphabet())
    ids = dict.fromkeys([*letters, *(f"{letter}</w>" for letter in letters)])
    merges = []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            merges.append(f"{pieces[0]} {pieces[1]}")
            pieces[:2] = ["".join(pieces[:2])]
            ids[pieces[0]] = None
    tokens = [*ids, "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: number for number, token in enumerate(tokens)}
    lines = ["#version: 0.2", *dict.fromkeys(merges), ""]
    return {"vocab.json": json.dumps(vocab).encode(), "merges.txt": "\n".join(lines).encode()}


def t5_file(**options: Any) -> bytes:
    """Return a sentencepiece model with T5's special tokens."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([f"a {one} {two}" for one in WORDS for two in WORDS]),
        model_writer=model,
        vocab_size=40,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        **{"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, **options},
    )
    return model.getvalue()


@pytest.fixture(scope="session")
def clip_tokenizer() -> dict[str, bytes]:
    """vocab.json and merges.txt."""
    return clip_files()


@pytest.fixture(scope="session")
def clip_config(clip_tokenizer: dict[str, bytes]) -> dict[str, Any]:
    """Fields of a small CLIP text encoder."""
    size = len(json.loads(clip_tokenizer["vocab.json"]))
    return {
        "vocab_size": size,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "max_position_embeddings": 12,
        "bos_token_id": size - 2,
        "eos_token_id": size - 1,
        "pad_token_id": size - 1,
    }


@pytest.fixture(scope="session")
def pair_config(clip_config: dict[str, Any]) -> dict[str, Any]:
    """Fields of a small pair of text encoders, as SDXL has them."""
    outputs = {"layer": "penultimate", "final_norm": False, "null": "zeros"}
    wider = {"hidden_size": 24, "num_attention_heads": 3, "hidden_act": "gelu", "pad_token_id": 0}
    return {
        "clip_l": {**clip_config, **outputs},
        "clip_g": {**clip_config, **outputs, **wider, "pooled": "projected"},
    }


@pytest.fixture(scope="session")
def spiece() -> bytes:
    """spiece.model."""
    return t5_file()


@pytest.fixture(scope="session")
def new_spiece() -> Callable[..., bytes]:
    """Make a sentencepiece model with other options."""
    return t5_file


@pytest.fixture(scope="session")
def t5_config() -> dict[str, Any]:
    """Fields of a small T5 encoder whose heads do not add up to its width."""
    return {
        "d_model": 16,
        "d_ff": 32,
        "num_layers": 2,
        "num_heads": 3,
        "d_kv": 8,
        "vocab_size": 64,
        "max_length": 12,
    }


def scrambled(module: torch.nn.Module) -> None:
    """Randomise all weights, so that no bias is zero and no norm the identity."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in module.parameters():
            weights.copy_(0.3 * torch.randn(weights.shape, generator=generator) + 0.1)


@pytest.fixture(scope="session")
def new_clip(clip_config: dict[str, Any]) -> Callable[..., ClipTextConditioner]:
    """Build a small CLIP text conditioner, without a tokenizer."""

    def build(**changes: Any) -> ClipTextConditioner:
        conditioner = ClipTextConditioner(ClipTextConfig(**{**clip_config, **changes}))
        scrambled(conditioner)
        return conditioner.eval()

    return build


@pytest.fixture(scope="session")
def clip(new_clip: Any, clip_tokenizer: dict[str, bytes]) -> ClipTextConditioner:
    """A small CLIP text conditioner."""
    conditioner: ClipTextConditioner = new_clip()
    conditioner.set_assets(clip_tokenizer)
    return conditioner


@pytest.fixture(scope="session")
def new_t5(t5_config: dict[str, Any]) -> Callable[..., T5TextConditioner]:
    """Build a small T5 text conditioner, without a tokenizer."""

    def build(**changes: Any) -> T5TextConditioner:
        conditioner = T5TextConditioner(T5TextConfig(**{**t5_config, **changes}))
        scrambled(conditioner)
        return conditioner.eval()

    return build


@pytest.fixture(scope="session")
def t5(new_t5: Any, spiece: bytes) -> T5TextConditioner:
    """A small T5 text conditioner."""
    conditioner: T5TextConditioner = new_t5()
    conditioner.set_assets({"spiece.model": spiece})
    return conditioner


@pytest.fixture(scope="session")
def atelier() -> Atelier:
    """The built-in plugins and this one, whatever is installed or configured."""
    found = Atelier(policy=Policy(allow=frozenset()), strict=True)
    found.register(plugin, "latelier-transformers", "0.1.0")
    return found
