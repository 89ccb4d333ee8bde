"""CLIP's text encoder: other names of its tensors -> those of transformers. Pure functions."""

from collections.abc import Mapping

from torch import Tensor

_OPEN_CLIP = {
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
}
_OPEN_CLIP_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_NOT_OF_ENCODER = ("text_projection", "logit_scale", "attn_mask")
_BLOCKS = "transformer.resblocks."


def clip_from_compvis(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder of Stable Diffusion 1, which has the names after "transformer."."""
    found = {}
    for name, tensor in tensors.items():
        inner = name.removeprefix("transformer.")
        if inner.endswith("position_ids") or inner.startswith("text_projection."):
            continue  # the projection is of the pooled text, which no denoiser here takes
        # merged files may lack the level "text_model."
        found[inner if inner.startswith("text_model.") else f"text_model.{inner}"] = tensor
    return found


def clip_from_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the encoder of Stable Diffusion 2, which has open_clip's names after "model.".

    The projection of the pooled text is left out; see `projection_from_open_clip`.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        inner = name.removeprefix("model.")
        if inner in _NOT_OF_ENCODER:
            continue
        if not inner.startswith(_BLOCKS):
            found[_OPEN_CLIP.get(inner, inner)] = tensor
            continue
        index, _, rest = inner.removeprefix(_BLOCKS).partition(".")
        block = f"text_model.encoder.layers.{index}"
        if rest.startswith("attn.in_proj_"):
            leaf = rest.removeprefix("attn.in_proj_")
            for each, part in zip(("q", "k", "v"), tensor.chunk(3), strict=True):
                found[f"{block}.self_attn.{each}_proj.{leaf}"] = part
        else:
            path, _, leaf = rest.rpartition(".")
            found[f"{block}.{_OPEN_CLIP_BLOCK.get(path, path)}.{leaf}"] = tensor
    return found


def projection_from_open_clip(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the projection of the pooled text, if there is one; open_clip multiplies by it."""
    matrix = tensors.get("text_projection")
    return {} if matrix is None else {"text_projection.weight": matrix.T}
