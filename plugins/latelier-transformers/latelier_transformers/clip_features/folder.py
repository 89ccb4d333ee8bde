"""Reads a CLIP from a folder in the format of transformers, without running code of the folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from latelier import Frozen
from latelier.checkpoints.io.json_files import read_json_object
from latelier.checkpoints.io.weights import load_into, meta_device
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.bounds import Layers, Width
from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import validate
from pydantic import Field

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.clip_text.published_vocabulary import published_vocabulary
from latelier_transformers.clip_text.vocabulary import ClipVocabulary
from latelier_transformers.library import transformers
from latelier_transformers.published_configs import clip_text_fields
from latelier_transformers.published_weights import find_weights

_TOKENIZER = ("vocab.json", "merges.txt", "tokenizer.json")


class ClipVisionFields(Frozen):
    """Fields of transformers' `CLIPVisionConfig`, with its defaults."""

    hidden_size: Width = 768
    intermediate_size: Width = 3072
    num_hidden_layers: Layers = Field(12, ge=1)
    num_attention_heads: Width = 12
    image_size: Width = 224
    patch_size: Width = 32
    hidden_act: Literal["quick_gelu", "gelu"] = "quick_gelu"
    layer_norm_eps: float = Field(1e-5, gt=0)


@dataclass(frozen=True, eq=False)
class ClipFolder:
    """What a folder has.

    Attributes:
        model: a `CLIPModel` in float32.
        vocabulary: of its texts.
        text: fields of its text encoder.
        vision: fields of its vision encoder.
        width: of the features D.
    """

    model: Any
    vocabulary: ClipVocabulary
    text: ClipTextConfig
    vision: ClipVisionFields
    width: int


def read_clip(folder: Path) -> ClipFolder:
    """Read configuration, weights and tokenizer.

    Raises:
        ModelFileError: a file is missing or damaged, or the folder has another model.
    """
    if not folder.is_dir():
        raise ModelFileError(f"{folder}: expected a folder with config.json and model.safetensors")
    path = folder / "config.json"
    values = read_json_object(path)
    if not isinstance(values.get("text_config"), Mapping) or not isinstance(
        values.get("vision_config"), Mapping
    ):
        raise ModelFileError(f"{path}: expected a CLIP with 'text_config' and 'vision_config'")
    vocabulary = _read_vocabulary(folder)
    fields = clip_text_fields(values["text_config"], vocabulary.ids)
    text = validate(ClipTextConfig, fields, f"{path}: text_config", ModelFileError)
    known = {k: v for k, v in values["vision_config"].items() if k in ClipVisionFields.model_fields}
    vision = validate(ClipVisionFields, known, f"{path}: vision_config", ModelFileError)
    width = values.get("projection_dim", 512)
    if type(width) is not int or not 1 <= width <= 2**16:
        raise ModelFileError(f"{path}: expected a width as 'projection_dim', got {width!r}")
    model = _build(text, vision, width)
    weights = find_weights(folder)
    # Older files have the tables of positions, which are no weights.
    state = {k: v for k, v in tensors_of(weights).items() if not k.endswith("position_ids")}
    load_into(model, state, str(weights))
    return ClipFolder(model.float(), vocabulary, text, vision, width)


def _build(text: ClipTextConfig, vision: ClipVisionFields, width: int) -> Any:
    """Return a `CLIPModel` whose weights have no storage yet."""
    library = transformers()
    config = library.CLIPConfig(
        text_config=text.network(), vision_config=vision.model_dump(), projection_dim=width
    )
    with meta_device():
        model = library.CLIPModel(config)
    for tower in (model.text_model, model.vision_model):  # no file has these tables
        positions = torch.arange(tower.embeddings.position_embedding.num_embeddings)
        tower.embeddings.position_ids = positions[None]
    return model


def _read_vocabulary(folder: Path) -> ClipVocabulary:
    """Return the tokenizer of a folder, or CLIP's own where it has none."""
    files = {name: (folder / name).read_bytes() for name in _TOKENIZER if (folder / name).is_file()}
    return ClipVocabulary(files) if files else published_vocabulary()
