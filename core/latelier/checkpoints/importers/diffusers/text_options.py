"""What the configurations of a CLIP text encoder and of its tokenizer say beyond their sizes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.configs.types import ClipParameters, check_types
from latelier.checkpoints.importers.diffusers.folder import CONFIG, read_config
from latelier.checkpoints.importers.tokenizer_json import TOKENIZER_JSON
from latelier.contracts.errors import InvalidConfigError

TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = "special_tokens_map.json"
START, END = "<|startoftext|>", "<|endoftext|>"

_CLASSES = ("CLIPTokenizer", "CLIPTokenizerFast")
_EXPECTED_TOKENS = {"bos_token": START, "eos_token": END}
_POSITIONS = "max_position_embeddings"

_READ = (*ClipParameters.model_fields, "hidden_act", "model_type")
_FROM_WEIGHTS = ("hidden_size", "intermediate_size", _POSITIONS, "vocab_size")
_WITHOUT_EFFECT = (
    "architectures",
    "attention_dropout",
    "bos_token_id",  # the ids are those of the tokenizer
    "dropout",
    "dtype",
    "eos_token_id",
    "gradient_checkpointing",
    "initializer_factor",
    "initializer_range",
    "is_decoder",
    "pad_token_id",
    "projection_dim",  # the weights of the projection have it
    "tie_word_embeddings",
    "torch_dtype",
    "torchscript",
    "transformers_version",
    "use_bfloat16",
    "use_cache",
)


def encoder_notes(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Return human-readable notes on options of the text encoder that are not followed.

    Raises:
        InvalidConfigError: a value is impossible, or the weights are quantized.
    """
    path = folder / CONFIG
    check_types(ClipParameters, f"{path}", config)
    if config.get("quantization_config"):
        raise InvalidConfigError(
            f"{path}: quantization_config: quantized weights are not supported; import the "
            "original model"
        )
    notes = []
    if config.get("use_attention_mask"):
        notes.append("the text encoder's use_attention_mask is not followed: it sees the padding")
    known = {*_READ, *_FROM_WEIGHTS, *_WITHOUT_EFFECT, "quantization_config", "use_attention_mask"}
    notes += [
        f"the text encoder's option '{key:.80}' is unknown and was ignored"
        for key, value in config.items()
        if key not in known and not key.startswith("_") and value not in (None, False)
    ]
    return notes


def size_notes(config: Mapping[str, Any], found: Mapping[str, Any], tokens: int) -> list[str]:
    """Return human-readable notes on sizes that differ between files.

    Args:
        config: the config.json of the text encoder.
        found: the configuration according to the weights.
        tokens: of the tokenizer, with added ones.
    """
    notes = [
        f"the text encoder's config.json says {key}: {config[key]!s:.40}, its weights "
        f"{found[key]}; the weights are right"
        for key in _FROM_WEIGHTS
        if key in config and key in found and config[key] != found[key]
    ]
    rows = found.get("vocab_size", tokens)
    if rows > tokens:
        notes.append(
            f"the text encoder has {rows} rows of tokens, the tokenizer {tokens} tokens: no text "
            f"uses the last {rows - tokens}; learnt words are named in added_tokens.json"
        )
    return notes


def tokenizer_notes(folder: Path, encoder: Mapping[str, Any]) -> list[str]:
    """Return human-readable notes on options of a CLIP tokenizer that are not followed.

    Args:
        folder: of the tokenizer.
        encoder: the config.json of the text encoder.

    Raises:
        ModelFileError: a file is damaged.
        InvalidConfigError: the tokenizer is of another class, or its texts begin or end otherwise.
    """
    config = _read_optional(folder / TOKENIZER_CONFIG)
    _check_class(folder, config)
    for name in (TOKENIZER_CONFIG, SPECIAL_TOKENS):
        _check_tokens(folder / name)
    notes = _length_notes(folder, config, encoder.get(_POSITIONS, 77))
    normalizer = _read_optional(folder / TOKENIZER_JSON).get("normalizer")
    if config.get("do_lower_case") is False or (normalizer and "Lowercase" not in str(normalizer)):
        notes.append("the tokenizer keeps capitals; here texts are lower-cased, as CLIP's are")
    if config.get("padding_side", "right") != "right":
        notes.append("the tokenizer's padding_side is not followed: padding is on the right")
    return notes


def token_text(value: Any) -> str | None:
    """Return the text of a token, which files have alone or in an object; None if there is none."""
    return value.get("content") if isinstance(value, Mapping) else value


def _read_optional(path: Path) -> dict[str, Any]:
    return read_config(path) if path.is_file() else {}


def _check_class(folder: Path, config: Mapping[str, Any]) -> None:
    found = config.get("tokenizer_class")
    # transformers 5 writes the class that reads any tokenizer.json
    if found not in (None, *_CLASSES, "PreTrainedTokenizerFast", "TokenizersBackend"):
        raise InvalidConfigError(
            f"{folder / TOKENIZER_CONFIG}: tokenizer_class: '{found!s:.80}' is not supported; "
            f"'{_CLASSES[0]}' is"
        )


def _check_tokens(path: Path) -> None:
    config = _read_optional(path)
    for key, expected in _EXPECTED_TOKENS.items():
        found = token_text(config.get(key))
        if found not in (None, expected):
            raise InvalidConfigError(
                f"{path}: {key}: expected '{expected}', as CLIP has it, got '{found!s:.80}'"
            )


def _length_notes(folder: Path, config: Mapping[str, Any], positions: Any) -> list[str]:
    length = config.get("model_max_length", positions)
    if isinstance(length, bool) or not isinstance(length, int | float) or length < 1:
        raise InvalidConfigError(
            f"{folder / TOKENIZER_CONFIG}: model_max_length: expected a number above 0, "
            f"got {length!r:.80}"
        )
    if length == positions:
        return []
    return [
        f"the tokenizer's model_max_length {length:g} is not followed: texts have {positions} "
        "tokens, as many as the text encoder has positions"
    ]
