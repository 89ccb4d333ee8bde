"""Whether a control asks for what a denoiser has, and the residuals of one that does."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from torch import Tensor

from latelier.denoisers.adapter_fit import misfit
from latelier.kernel.contracts import Control
from latelier.kernel.errors import ConditionError, suggestion


def check_control(
    control: Control,
    blocks: AbstractSet[str],
    self_attentions: AbstractSet[str],
    cross_attentions: Mapping[str, int],
) -> None:
    """Check the names in a control against those of a denoiser.

    Raises:
        ConditionError: a name that there is not; lists those that there are.
    """
    for name in control.residuals:
        if name not in blocks:
            raise ConditionError(f"no block '{name}'. {suggestion(name, blocks)}")
    for name in control.self_values:
        if name not in self_attentions:
            raise ConditionError(f"no self-attention '{name}'. {suggestion(name, self_attentions)}")
    for name, use in control.adapters.items():
        fault = misfit(use.module.config, cross_attentions)
        if fault is not None:
            raise ConditionError(f"the adapter '{name}' {fault}")


def residual_for(control: Control, name: str, shape: tuple[int, ...]) -> Tensor | None:
    """Return the residual for a block whose output has the shape (B, C, h, w); None without one.

    Raises:
        ConditionError: it has another shape.
    """
    residual = control.residuals.get(name)
    if residual is not None and residual.shape != shape:
        raise ConditionError(
            f"the residual for '{name}' has the shape {tuple(residual.shape)}; "
            f"it must be {tuple(shape)}"
        )
    return residual
