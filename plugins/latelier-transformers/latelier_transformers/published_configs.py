"""Converts the JSON files of published models to configurations. Pure functions without torch."""

from collections.abc import Collection, Mapping
from typing import Any

from latelier.contracts.errors import ModelFileError

from latelier_transformers.clip_text import inputs as clip
from latelier_transformers.t5_text import inputs as t5

_CLIP_SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
_T5_SIZES = ("d_model", "d_ff", "num_layers", "num_heads")
_START, _END = "<|startoftext|>", "<|endoftext|>"


def clip_text_fields(
    config: Mapping[str, Any],
    vocab: Mapping[str, int],
    special_tokens: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the fields of `ClipTextConfig` for a published CLIP text encoder.

    The token ids come from the tokenizer, because the published config.json has wrong ones.

    Args:
        config: text_encoder/config.json.
        vocab: tokenizer/vocab.json.
        special_tokens: tokenizer/special_tokens_map.json, which names the padding token; without
            one, padding is the end token.

    Raises:
        ModelFileError: `config` lacks a size, or `vocab` a special token.
    """
    padding = (special_tokens or {}).get("pad_token", _END)
    tokens = {
        "bos_token_id": _START,
        "eos_token_id": _END,
        "pad_token_id": padding["content"] if isinstance(padding, Mapping) else padding,
    }
    for token in tokens.values():
        if token not in vocab:
            raise ModelFileError(f"vocab.json: there is no token '{token}'")
    known = clip.ClipTextConfig.model_fields.keys() - tokens.keys() - clip.OWN_FIELDS
    ids = {field: vocab[token] for field, token in tokens.items()}
    return {**_pick(config, _CLIP_SIZES, known), **ids}


def t5_text_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `T5TextConfig` for a published T5's config.json.

    Raises:
        ModelFileError: `config` lacks a size.
    """
    known = t5.T5TextConfig.model_fields.keys() - t5.OWN_FIELDS
    # a configuration without this field is of T5's first version
    return {"feed_forward_proj": "relu", **_pick(config, _T5_SIZES, known)}


def _pick(
    config: Mapping[str, Any], sizes: Collection[str], known: Collection[str]
) -> dict[str, Any]:
    """Return the `known` fields of `config`. The others have the defaults of transformers."""
    for size in sizes:
        if size not in config:
            raise ModelFileError(f"config.json: the field '{size}' is missing")
    return {name: config[name] for name in config if name in known}
