"""A toy model for guidance: linear in x, with a text and a label that interact."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from latelier.contracts import frames
from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import DenoiserConfig, InputSpec, StreamSlot

SHAPE = (4, 6, 5)


class ToyConfig(DenoiserConfig):
    """The configuration of the toy."""

    @property
    def latent_channels(self) -> int:
        """Channels of x."""
        return SHAPE[0]

    @property
    def supports(self) -> frozenset[str]:
        """Its stream has one token, so masks have no effect."""
        return frozenset({"masks", "perturbed_attention"})

    @property
    def middle_self_attention(self) -> str:
        """The layer that perturbed-attention guidance perturbs."""
        return "middle"

    def inputs(self) -> InputSpec:
        """Return the conditions: a text stream, a label vector and a size vector."""
        return InputSpec(
            streams={"text": StreamSlot(width=1, injection="named")},
            vectors={"label": 1, "size": 1},
        )


class Toy:
    """`predict`: x0 = x / (1 + sigma) + text * A + label * B + text * label * C - perturbed * D.

    A vector `size`, if there is one, is added to the label.

    Attributes:
        calls: number of conditions in each call.
        passed: each tensor that was passed in or returned, with a copy of its values then.
    """

    config = ToyConfig()

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.patterns = torch.randn(4, *SHAPE, generator=generator, dtype=torch.float64)
        self.calls: list[int] = []
        self.passed: list[tuple[Tensor, Tensor]] = []

    def __call__(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> list[Tensor]:
        """Return one estimate of x0 for each condition."""
        self.calls.append(len(conditions))
        perturbed = control is not None and bool(control.perturbed_attention)
        estimates = [self._x0(x, sigma, condition, perturbed) for condition in conditions]
        self.passed.extend((each, each.detach().clone()) for each in (x, *estimates))
        return estimates

    def decode(self, latents: Tensor, /) -> Tensor:
        """Return images of twice the size."""
        return latents[:, :3].repeat_interleave(2, 2).repeat_interleave(2, 3).tanh()

    def condition_for(self, value: Any, /) -> Condition:
        """Return the condition of a text, for three images."""
        return condition_of(0.1 + 0.2 * (len(str(value)) % 5), 0.5, 3)

    def _x0(
        self, x: Tensor, sigma: float | Tensor, condition: Condition, perturbed: bool
    ) -> Tensor:
        a, b, both, attention = self.patterns.to(x.dtype)
        text = condition.streams["text"].tokens.to(x.dtype)[:, :1, :, None]  # (B, 1, 1, 1)
        label = condition.vectors["label"] + condition.vectors.get("size", 0)
        label = label.to(x.dtype)[..., None, None]
        x0 = x / (1 + frames.per_image(sigma, x)) + text * a + label * b + text * label * both
        return x0 - attention if perturbed else x0


def condition_of(text: float, label: float, rows: int) -> Condition:
    """Return the condition of a text and a label, which are numbers, equal for every row."""
    stream = Stream(torch.full((rows, 1, 1), text, dtype=torch.float64))
    return Condition({"text": stream}, {}, {"label": torch.full((rows, 1), label).double()})
