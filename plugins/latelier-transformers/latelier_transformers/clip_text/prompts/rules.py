"""The two ways to apply the weights of tokens, and the syntaxes that they belong to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from latelier_transformers.clip_text.prompts import a1111, comfyui
from latelier_transformers.clip_text.prompts.prompt import Chunk, Encode

_ZERO = 1e-4
"""Share of the mean magnitude below which a mean is rounding."""


@dataclass(frozen=True)
class PromptRule:
    """What one program makes of a prompt.

    Attributes:
        split: returns the chunks of a prompt, given the tokenizer and the tokens of a chunk.
        weigh: returns states (B, N, D) after the weights (B, N) of their tokens, given a function
            that returns the states (1, N, D) of the empty text.
    """

    split: Callable[[str, Encode, int], list[Chunk]]
    weigh: Callable[[Tensor, Tensor, Callable[[], Tensor]], Tensor]


def restore_mean(states: Tensor, weights: Tensor, _encode_empty: Callable[[], Tensor]) -> Tensor:
    """Multiply states by their weights, and each row by what gives it the old mean again.

    A mean that is zero but for rounding stays as it is, as in an encoder that was never trained.
    """
    weighted = states * weights[..., None]
    before, after = (each.float().mean((1, 2), keepdim=True) for each in (states, weighted))
    size = states.float().abs().mean((1, 2), keepdim=True)
    is_zero = before.abs().minimum(after.abs()) < _ZERO * size
    return (weighted * (before / after).where(~is_zero, 1.0)).to(states.dtype)


def interpolate(states: Tensor, weights: Tensor, encode_empty: Callable[[], Tensor]) -> Tensor:
    """Move states away from those of the empty text, or towards them."""
    empty, weights = encode_empty(), weights[..., None]
    weighted = empty + (states - empty) * weights
    return weighted.where(weights != 1, states).to(states.dtype)


RULES: Mapping[str, PromptRule] = {
    "a1111": PromptRule(a1111.split, restore_mean),
    "comfyui": PromptRule(comfyui.split, interpolate),
}
"""Syntax -> its rule."""
