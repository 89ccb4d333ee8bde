"""Renames the weights of published models."""

from collections.abc import Mapping

from torch import Tensor


def t5_text_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state of `T5TextConditioner` for a state of transformers' `T5EncoderModel`.

    Files hold the token table under one of two names, or under both; here it has one. The decoder
    of a whole T5 is left out.
    """
    return {
        "encoder.embed_tokens.weight" if name == "shared.weight" else name: tensor
        for name, tensor in state.items()
        if not name.startswith(("decoder.", "lm_head."))
    }
