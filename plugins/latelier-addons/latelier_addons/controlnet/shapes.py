"""The configuration of a ControlNet, read from the shapes of its tensors."""

from collections.abc import Mapping
from typing import Any

from latelier.checkpoints.importers.picture_size import PICTURE_SIZE
from latelier.contracts.errors import ModelFileError

Shapes = Mapping[str, tuple[int, ...]]
"""Our name -> shape."""

_TEXT = "text"
"""The condition of imported models that is the text, its stream and its vector."""

_SDXL_CONTEXT = 2048
"""Width of the context of small ControlNets for SDXL, which attend to none."""


def config_from_shapes(shapes: Shapes, published: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a configuration.

    Args:
        shapes: of the tensors, under our names.
        published: the config.json of diffusers, {} without one. It has what shapes do not show.

    Raises:
        ModelFileError: a tensor is missing, or the hint has no three channels.
    """
    hint = _shape(shapes, "input_hint_block.0.weight")
    if hint[1:2] != (3,):
        raise ModelFileError(
            f"its hints have {hint[1]} channels; those of supported ControlNets have 3"
        )
    last = max(_numbers(shapes, "input_hint_block."))
    widths = [_shape(shapes, f"input_hint_block.{i}.weight")[0] for i in range(0, last, 4)]
    fields = {"encoder": _encoder(shapes, published), "hint_widths": widths}
    task = shapes.get("encoder.control_type.task_embedding")
    if task is None:
        return fields
    added = _shape(shapes, "encoder.control_type.control_add_embedding.linear_1.weight")
    union = {
        "types": task[0],
        "embedding": added[1] // task[0],
        "layers": len(_numbers(shapes, "encoder.control_type.transformer_layes.")),
        "heads": published.get("num_trans_head", 8),
    }
    return {**fields, "union": union}


def _encoder(shapes: Shapes, published: Mapping[str, Any]) -> dict[str, Any]:
    blocks = _numbers(shapes, "encoder.input_blocks.")
    downs = [i for i in blocks if f"encoder.input_blocks.{i}.0.op.weight" in shapes]
    per_level = downs[0] if downs else len(blocks)  # the downsampling ends a level
    first = _shape(shapes, "encoder.input_blocks.0.0.weight")
    levels = range(len(downs) + 1)
    ends = [f"zero_convs.{(level + 1) * per_level - 1}.0.weight" for level in levels]
    widths = [_shape(shapes, end)[0] for end in ends]
    starts = [f"encoder.input_blocks.{level * per_level + 1}.1." for level in levels]
    attends = [f"{start}norm.weight" in shapes for start in starts]
    depths = [len(_numbers(shapes, f"{start}transformer_blocks.")) for start in starts]
    middle = len(_numbers(shapes, "encoder.middle_block.1.transformer_blocks."))
    context = _context_width(shapes, published)
    return {
        "in_channels": first[1],
        "out_channels": first[1],
        "model_channels": first[0],
        "channel_mult": [width // first[0] for width in widths],
        "num_res_blocks": per_level - 1,
        "attention_resolutions": [2**level for level in levels if attends[level]],
        "transformer_depth": [*depths[:-1], middle],
        "use_linear_projections": len(_shape(shapes, "encoder.middle_block.1.proj_in.weight")) == 2,
        "num_groups": published.get("norm_num_groups", 32),
        "context_dim": context,
        "streams": {_TEXT: {"width": context, "injection": "native"}},
        **_heads(widths, context, published),
        **_vectors(shapes, published),
    }


def _context_width(shapes: Shapes, published: Mapping[str, Any]) -> int:
    keys = (shape[1] for name, shape in shapes.items() if name.endswith(".attn2.to_k.weight"))
    return next(keys, published.get("cross_attention_dim") or _SDXL_CONTEXT)


def _heads(widths: list[int], context: int, published: Mapping[str, Any]) -> dict[str, int]:
    """Return the number or size of heads: 8 in version 1, 64 channels each in all later ones.

    Despite its name, `attention_head_dim` of diffusers is their number, at each level or at all.
    """
    heads = published.get("num_attention_heads") or published.get("attention_head_dim")
    if heads is None:
        return {"num_heads": 8} if context == 768 else {"num_head_channels": 64}
    if isinstance(heads, int) or len(set(heads)) == 1:
        return {"num_heads": heads if isinstance(heads, int) else heads[0]}
    return {"num_head_channels": widths[0] // heads[0]}


def _vectors(shapes: Shapes, published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the vectors that SDXL adds: that of the text, and those of six numbers."""
    joint = shapes.get("encoder.label_emb.0.0.weight")
    if joint is None:
        return {}
    size = 6 * (published.get("addition_time_embed_dim") or 256)
    vectors = {_TEXT: joint[1] - size, PICTURE_SIZE: size}
    return {"vectors": vectors, "joint_vectors": list(vectors)}


def _numbers(shapes: Shapes, start: str) -> list[int]:
    """Return the numbers that follow `start` in names, sorted."""
    ends = {name.removeprefix(start).split(".")[0] for name in shapes if name.startswith(start)}
    return sorted(int(end) for end in ends if end.isdecimal())


def _shape(shapes: Shapes, name: str) -> tuple[int, ...]:
    try:
        return shapes[name]
    except KeyError:
        raise ModelFileError(f"a ControlNet without its tensor '{name}' is incomplete") from None
