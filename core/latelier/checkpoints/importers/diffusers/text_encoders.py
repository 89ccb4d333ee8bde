"""Text encoders in pipelines of diffusers."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.clip import clip_text_part, prompt_fields
from latelier.checkpoints.importers.clip_layout import clip_from_compvis
from latelier.checkpoints.importers.diffusers.folder import (
    CONFIG,
    read_component_weights,
    read_config,
)
from latelier.checkpoints.importers.diffusers.layouts.ldm_bert import ldm_bert_from_diffusers
from latelier.checkpoints.importers.diffusers.text_options import (
    END,
    START,
    encoder_notes,
    size_notes,
    tokenizer_notes,
)
from latelier.checkpoints.importers.diffusers.tokenizer_files import (
    ADDED_TOKENS,
    added_tokens,
    padding_token,
    read_vocabulary,
    tokenizer_file,
)
from latelier.checkpoints.importers.diffusers.weight_names import TEXT_STEMS
from latelier.checkpoints.importers.parameters import pick_params
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import ImportedPart, ImportSource

_CLIP_LAYERS = "text_model.encoder.layers."

_BERT = ("d_model", "encoder_layers", "vocab_size", "max_position_embeddings")
_BERT_FIXED: Mapping[str, tuple[Any, ...]] = {
    "encoder_attention_heads": (8,),
    "head_dim": (64,),
    "activation_function": ("gelu",),
    "scale_embedding": (False, 0),
}
_BERT_DEFAULTS = {
    "d_model": 1280,
    "encoder_layers": 32,
    "vocab_size": 30522,
    "max_position_embeddings": 77,
}


def ldm_bert_part(source: ImportSource, folder: Path, tokenizer: Path) -> ImportedPart:
    """Return the paper's text encoder (`LDMBertModel`), with its vocabulary.

    Raises:
        ModelFileError: the weights or the vocabulary are missing or damaged.
        InvalidConfigError: a parameter is not supported.
    """
    config = read_config(folder / CONFIG)
    numbers = {key: config[key] for key in (*_BERT, *_BERT_FIXED) if key in config}
    given = {**_BERT_DEFAULTS, **pick_params("LDMBertModel", numbers, _BERT, _BERT_FIXED, ())}
    fields = {
        "n_embed": given["d_model"],
        "n_layer": given["encoder_layers"],
        "vocab_size": given["vocab_size"],
        "max_seq_len": given["max_position_embeddings"],
    }
    tensors = ldm_bert_from_diffusers(read_component_weights(source, folder, *TEXT_STEMS))
    vocabulary = tokenizer_file(tokenizer, "vocab.txt")
    return ImportedPart("latelier/bert_text", fields, tensors, {"vocab.txt": vocabulary})


def check_clip(folder: Path) -> dict[str, Any]:
    """Return the configuration of CLIP's text encoder, after checking that it is one.

    Raises:
        ModelFileError: the folder holds another text encoder, or none.
    """
    config = read_config(folder / CONFIG)
    kind = config.get("model_type")
    if kind != "clip_text_model":
        raise ModelFileError(
            f"{folder}: the text encoder '{kind}' is not supported; 'clip_text_model' is"
        )
    return config


def clip_option_notes(folder: Path, tokenizer: Path) -> list[str]:
    """Return human-readable notes on options of CLIP's text encoder that are not followed.

    Raises:
        ModelFileError: the folder holds another text encoder, or a file is damaged.
        InvalidConfigError: a value is impossible, or changes what texts mean.
    """
    config = check_clip(folder)
    return [*encoder_notes(folder, config), *tokenizer_notes(tokenizer, config)]


def clip_part(
    source: ImportSource, folder: Path, tokenizer: Path, outputs: Mapping[str, Any]
) -> ImportedPart:
    """Return CLIP's text encoder with its tokenizer.

    Args:
        source: of the pipeline.
        folder: of the text encoder.
        tokenizer: its folder.
        outputs: fields of what is taken of the encoder.

    Raises:
        ModelFileError: the folder holds another text encoder, or a file is missing or damaged.
    """
    config = check_clip(folder)
    weights = read_component_weights(source, folder, *TEXT_STEMS)
    tensors = clip_from_compvis(weights)
    if outputs.get("pooled") == "projected":
        tensors |= {name: weights[name] for name in weights if name.startswith("text_projection.")}
    known = ("hidden_act", "num_attention_heads", "layer_norm_eps", "num_hidden_layers")
    fields = {key: config[key] for key in known if key in config}
    if "num_hidden_layers" in fields:
        tensors = _without_later_layers(tensors, fields["num_hidden_layers"])
    added = added_tokens(tokenizer)
    fields |= {**outputs, **_special_tokens(tokenizer, added)}
    fields |= prompt_fields(source.options)
    part = clip_text_part(tensors, lambda name: tokenizer_file(tokenizer, name), fields)
    if not added:
        return part
    return replace(part, assets={**part.assets, ADDED_TOKENS: json.dumps(added).encode()})


def clip_size_notes(folder: Path, tokenizer: Path, part: ImportedPart) -> list[str]:
    """Return human-readable notes on sizes that the weights decide; `part` is of `clip_part`.

    Raises:
        ModelFileError: a file is missing or damaged.
    """
    tokens = len(read_vocabulary(tokenizer)) + len(added_tokens(tokenizer))
    return size_notes(read_config(folder / CONFIG), part.config, tokens)


def _without_later_layers(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return the weights of the first `layers` layers, and those outside of layers.

    A configuration with fewer layers than the file is the usual way to skip CLIP's last layers.
    """

    def is_kept(name: str) -> bool:
        index = name.removeprefix(_CLIP_LAYERS).partition(".")[0]
        return not (name.startswith(_CLIP_LAYERS) and index.isdecimal() and int(index) >= layers)

    return {name: tensor for name, tensor in tensors.items() if is_kept(name)}


def _special_tokens(tokenizer: Path, added: Mapping[str, int]) -> dict[str, int]:
    """Return the ids of start, end and padding. Those in the encoder's own config are unreliable.

    Raises:
        ModelFileError: a file is missing or damaged, or the vocabulary lacks one of the tokens.
    """
    vocabulary = {**read_vocabulary(tokenizer), **added}
    tokens = {"bos_token_id": START, "eos_token_id": END}
    tokens["pad_token_id"] = padding_token(tokenizer, END)
    for token in tokens.values():
        if token not in vocabulary:
            raise ModelFileError(f"{tokenizer / 'vocab.json'}: has no token '{token:.80}'")
    return {field: vocabulary[token] for field, token in tokens.items()}
