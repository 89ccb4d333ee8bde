"""The number formats of a training: weights are float32, `mixed` computes in 16 bits."""

from contextlib import AbstractContextManager, nullcontext

import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.optimization import Precision

_DTYPES: dict[Precision, torch.dtype] = {
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
}

_INITIAL_SCALE = 2.0**16
_GROWTH_STEPS = 2000


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which matrix products and convolutions have the precision."""
    if precision == "32-true":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[precision])


def check_precision(precision: Precision, device: torch.device) -> None:
    """Check that a device computes in a precision.

    Raises:
        InvalidConfigError: it does not.
    """
    if precision == "32-true":
        return
    try:
        with autocast(precision, device):
            row = torch.ones(1, 8, device=device)
            (row @ row.T).item()
    except RuntimeError as error:
        raise InvalidConfigError(
            f"precision: '{precision}' is not available on {device.type} ({error}); use '32-true'"
        ) from None


class LossScale:
    """Factor of the loss that keeps small gradients above the smallest float16 number.

    It is halved when a gradient overflows, and doubled after 2,000 steps without overflow
    (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2). Other precisions have the factor 1.

    Attributes:
        value: The factor, a power of two.
        good_steps: Steps since it last changed.
    """

    def __init__(self, precision: Precision) -> None:
        self._is_dynamic = precision == "16-mixed"
        self.value = _INITIAL_SCALE if self._is_dynamic else 1.0
        self.good_steps = 0

    def update(self, *, is_finite: bool) -> None:
        """Adapt the factor to a step, once: were the gradients of all players finite?"""
        if not self._is_dynamic:
            return
        self.good_steps = self.good_steps + 1 if is_finite else 0
        if not is_finite:
            self.value /= 2
        elif self.good_steps == _GROWTH_STEPS:
            self.value, self.good_steps = self.value * 2, 0

    def state(self) -> dict[str, float]:
        """Return what `load_state` restores."""
        return {"value": self.value, "good_steps": self.good_steps}

    def load_state(self, state: dict[str, float]) -> None:
        """Restore a saved state; a run that is resumed in another precision starts again."""
        if self._is_dynamic and state["value"] != 1.0:
            self.value, self.good_steps = state["value"], int(state["good_steps"])
