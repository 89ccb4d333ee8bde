"""Published weights under the names that this distribution uses."""

from collections.abc import Mapping

from torch import Tensor


def clip_text_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state of transformers' `CLIPTextModel` as one of `ClipTextConditioner`.

    It is what a diffusers folder holds in `text_encoder`, and Stable Diffusion 1.x files under
    `cond_stage_model.transformer.`, here without that prefix. The library has called its weights
    'text_model.*' before version 5.6 and leaves the prefix out since; older files hold a table of
    positions.
    """
    return {
        name if name.startswith("text_model.") else f"text_model.{name}": tensor
        for name, tensor in state.items()
        if not name.endswith("embeddings.position_ids")
    }


def t5_text_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state of transformers' `T5EncoderModel` as one of `T5TextConditioner`.

    The token table has one name here; files hold it under either of two, or both. The decoder of
    a whole T5 is left out.
    """
    return {
        "encoder.embed_tokens.weight" if name == "shared.weight" else name: tensor
        for name, tensor in state.items()
        if not name.startswith(("decoder.", "lm_head."))
    }
