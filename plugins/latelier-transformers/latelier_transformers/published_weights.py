"""Published weights under the names that this distribution uses."""

from collections.abc import Mapping

from torch import Tensor


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
