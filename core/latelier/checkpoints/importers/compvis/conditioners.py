"""The conditioners in a YAML of CompVis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.class_table import (
    class_label_part,
    has_null_row,
    null_row_note,
)
from latelier.checkpoints.importers.clip import clip_text_part, prompt_fields
from latelier.checkpoints.importers.clip_layout import clip_from_compvis, clip_from_open_clip
from latelier.checkpoints.importers.compvis.target import Target
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.importing import ImportedPart

_TRAINING = ("key", "device", "use_checkpoint", "ckpt_path", "freeze", "ucg_rate")
NEIGHBOURS = 20
"""Most neighbours whose vectors join that of the text (Blattmann et al., arXiv:2204.11824)."""


@dataclass(frozen=True)
class Conditioning:
    """The parts of a model that determine a conditioner.

    Attributes:
        tensors: of the conditioner.
        key: the conditioning_key, "crossattn", "concat" or "hybrid".
        context_dim: width that the denoiser attends to.
        extra_channels: input channels of the denoiser beyond the latents.
        options: see `ImportSource`.
        sibling: see `ImportSource`.
    """

    tensors: Mapping[str, Tensor]
    key: str
    context_dim: int | None
    extra_channels: int
    options: Mapping[str, Any]
    sibling: Callable[[str], bytes | None]


@dataclass(frozen=True)
class FoundConditioner:
    """A conditioner of the pipeline.

    Attributes:
        name: in the pipeline.
        part: the component.
        stream: width of its tokens, if it gives some.
        spatial: channels of its map, if it gives one.
        vector: width of its vector, if it gives one.
        notes: human-readable.
        guidance: default scale.
    """

    name: str
    part: ImportedPart
    stream: int | None = None
    spatial: int | None = None
    vector: int | None = None
    notes: tuple[str, ...] = ()
    guidance: float = 1.0


def class_embedder(target: Target, found: Conditioning) -> FoundConditioner:
    """Return a class embedding table. The last row of ImageNet's 1001 stands for no class.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    params = target.pick_params(("embed_dim", "n_classes"), {}, _TRAINING)
    rows, width = params.get("n_classes", 1000), params.get("embed_dim")
    has_null = has_null_row(rows, found.options.get("null_class"))
    config = {"num_classes": rows - has_null, "width": width, "null_class": has_null}
    part = ImportedPart("latelier/class_label", config, found.tensors)
    return FoundConditioner(
        "class_label",
        part,
        stream=width,
        notes=(null_row_note(rows, has_null),),
        guidance=3.0 if has_null else 1.0,
    )


def label_embedding(table: Tensor, options: Mapping[str, Any]) -> FoundConditioner:
    """Return the class embedding table (classes, width) of a UNet with `num_classes`.

    The last of 1001 rows, ImageNet's and one more, is for no class.
    """
    has_null = has_null_row(len(table), options.get("null_class"))
    return FoundConditioner(
        "class_label",
        class_label_part(table, has_null),
        vector=table.shape[1],
        notes=(null_row_note(len(table), has_null),),
        guidance=3.0 if has_null else 1.0,
    )


def bert_embedder(target: Target, found: Conditioning) -> FoundConditioner:
    """Return the paper's text encoder, or its layout encoder, which has no tokenizer.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    wanted = ("n_embed", "n_layer", "vocab_size", "max_seq_len", "use_tokenizer")
    params = target.pick_params(wanted, {"embedding_dropout": (0, 0.0)}, _TRAINING)
    shape = ("n_embed", "n_layer", "vocab_size")
    config: dict[str, Any] = {key: params[key] for key in shape if key in params}
    tensors = {
        name: tensor for name, tensor in found.tensors.items() if ".to_logits." not in f".{name}"
    }
    if params.get("use_tokenizer", target.name == "BERTEmbedder"):
        return _bert_text(config, params, tensors, found.sibling("vocab.txt"))
    return _layout(config, params, tensors, found.options)


def _bert_text(
    config: dict[str, Any],
    params: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    vocabulary: bytes | None,
) -> FoundConditioner:
    config["max_seq_len"] = params.get("max_seq_len", 77)
    assets = {} if vocabulary is None else {"vocab.txt": vocabulary}
    note = (
        "the vocabulary comes from the folder of the weights"
        if assets
        else "the folder of the weights has no vocab.txt or tokenizer.json; the text encoder needs "
        "the one of bert-base-uncased: put it there and import again"
    )
    part = ImportedPart("latelier/bert_text", config, tensors, assets)
    return FoundConditioner("text", part, stream=config["n_embed"], notes=(note,), guidance=5.0)


def _layout(
    config: dict[str, Any],
    params: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    options: Mapping[str, Any],
) -> FoundConditioner:
    ids = config.get("vocab_size", 8192)
    length = params.get("max_seq_len", 92)
    if (length - 2) % 3:
        raise InvalidConfigError(
            f"max_seq_len: expected 3 tokens per object and 2 for the crop, got {length}"
        )
    classes = options.get("num_classes", ids - 1)
    config |= {
        "vocab_size": ids,
        "max_objects_per_image": (length - 2) // 3,
        "num_classes": classes,
    }
    note = f"the checkpoint has no number of classes of objects: {classes} assumed"
    return FoundConditioner(
        "layout",
        ImportedPart("latelier/layout", config, tensors),
        stream=config["n_embed"],
        notes=() if "num_classes" in options else (note,),
    )


def spatial_rescaler(target: Target, found: Conditioning) -> FoundConditioner:
    """Return a semantic map that is halved and projected to a few channels.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    wanted = ("n_stages", "in_channels", "out_channels", "multiplier", "method", "bias")
    params = target.pick_params(
        wanted, {"multiplier": (0.5,), "method": ("bilinear",), "bias": (False,)}, _TRAINING
    )
    channels = params.get("out_channels")
    config = {
        "num_classes": params.get("in_channels"),
        "n_stages": params.get("n_stages"),
        "out_channels": channels,
    }
    part = ImportedPart("latelier/semantic_map", config, found.tensors)
    return FoundConditioner("semantic_map", part, spatial=channels)


def pass_through(target: Target, found: Conditioning) -> FoundConditioner:
    """Return the condition of an `Identity`: the low-resolution image, or vectors of the caller."""
    del target
    if found.key == "concat":
        part = ImportedPart("latelier/image", {})
        return FoundConditioner("image", part, spatial=found.extra_channels)
    width = found.context_dim
    config = {"width": width, "max_vectors": 1 + NEIGHBOURS, "normalise": True}
    part = ImportedPart("latelier/embedding", config)
    return FoundConditioner("embedding", part, stream=width, guidance=5.0)


def clip_embedder(target: Target, found: Conditioning) -> FoundConditioner:
    """Return the text encoder of Stable Diffusion 1: CLIP ViT-L/14, its last layer.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    target.pick_params(("version",), {"max_length": (77,), "layer": ("last",)}, _TRAINING)
    tensors = clip_from_compvis(found.tensors)
    fields = {"hidden_act": "quick_gelu", "layer": "last", **prompt_fields(found.options)}
    part = clip_text_part(tensors, found.sibling, fields)
    return _clip_conditioner(part, found)


def open_clip_embedder(target: Target, found: Conditioning) -> FoundConditioner:
    """Return the text encoder of Stable Diffusion 2: OpenCLIP ViT-H/14, the layer before the last.

    Raises:
        InvalidConfigError: a parameter is not supported.
    """
    fixed = {"max_length": (77,), "arch": ("ViT-H-14",)}
    params = target.pick_params(("version", "layer"), fixed, _TRAINING)
    tensors = clip_from_open_clip(found.tensors)
    fields = {
        "hidden_act": "gelu",
        "layer": params.get("layer", "last"),
        "pad_token_id": 0,
        **prompt_fields(found.options),
    }
    return _clip_conditioner(clip_text_part(tensors, found.sibling, fields), found)


def _clip_conditioner(part: ImportedPart, found: Conditioning) -> FoundConditioner:
    note = "the folder of the weights has no tokenizer: prompts are read with CLIP's own"
    notes = () if part.assets else (note,)
    return FoundConditioner("text", part, stream=found.context_dim, notes=notes, guidance=7.5)


ConditionerReader = Callable[[Target, Conditioning], FoundConditioner]

CONDITIONERS: Mapping[str, ConditionerReader] = {
    "ClassEmbedder": class_embedder,
    "BERTEmbedder": bert_embedder,
    "TransformerEmbedder": bert_embedder,
    "SpatialRescaler": spatial_rescaler,
    "Identity": pass_through,
    "FrozenCLIPEmbedder": clip_embedder,
    "FrozenOpenCLIPEmbedder": open_clip_embedder,
}
"""Class in the YAML -> its reader."""
