"""Watch random numbers: the global state, which nobody may use, and torch's draws."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode


@contextmanager
def seeded(seed: int = 0) -> Iterator[None]:
    """Set the global random state of Python, numpy and torch, and restore it afterwards."""
    before = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def randomize_zeros(module: nn.Module) -> None:
    """Give weights that are all zero small random values, in place, from the global state."""
    with torch.no_grad():
        for weights in module.parameters():
            if not weights.is_meta and not weights.any():
                weights.normal_(std=0.05)


class GlobalState:
    """A snapshot of the global random state, to compare with later."""

    def __init__(self) -> None:
        self._state = self._now()

    def changed(self) -> list[str]:
        """Return the libraries whose state has changed since: 'random', 'numpy', 'torch'."""
        return [name for name, state in self._now().items() if state != self._state[name]]

    @staticmethod
    def _now() -> dict[str, Any]:
        kind, keys, *rest = np.random.get_state()
        return {
            "random": random.getstate(),
            "numpy": (kind, np.asarray(keys).tobytes(), *rest),
            "torch": torch.get_rng_state().numpy().tobytes(),
        }


class DrawRecorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records every random number that torch draws inside, from any generator.

    Attributes:
        operators: the operators that drew, in order.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.operators.append(str(func))
        return func(*args, **(kwargs or {}))
