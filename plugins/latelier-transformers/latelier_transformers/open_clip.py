"""The weights of OpenCLIP's text encoder under the names that this distribution uses."""

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

_OUTSIDE = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_IN_A_LAYER = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_UNUSED = ("text_projection", "logit_scale", "attn_mask")
_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)[._](weight|bias)")


def from_open_clip(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state of OpenCLIP's text encoder as one of `ClipTextConditioner`.

    It is what Stable Diffusion 2.x files hold under `cond_stage_model.model.`, here without that
    prefix. What makes no stream (text_projection, logit_scale, the causal mask) is left out; a name
    that is not OpenCLIP's is kept, for a strict check to find. Queries, keys and values are views.
    """
    return {
        f"text_model.{ours}": part
        for name, tensor in state.items()
        if name not in _UNUSED
        for ours, part in _renamed(name, tensor)
    }


def _renamed(name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
    layer = _LAYER.fullmatch(name)
    if layer is None:
        yield _OUTSIDE.get(name, name), tensor
        return
    number, part, kind = layer.groups()
    prefix = f"encoder.layers.{number}"
    if part == "attn.in_proj":
        for letter, third in zip("qkv", tensor.chunk(3)):  # (3D, D) or (3D,), one above the other
            yield f"{prefix}.self_attn.{letter}_proj.{kind}", third
    else:
        yield f"{prefix}.{_IN_A_LAYER.get(part, part)}.{kind}", tensor
