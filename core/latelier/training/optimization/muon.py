"""Muon: gradient descent whose update of a matrix is orthogonal (Jordan et al. 2024)."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from latelier.training.devices.shards import gather, shard_like


class Muon(torch.optim.Optimizer):
    """Muon for matrices, with Nesterov momentum, and AdamW for the other parameters.

    The kernel of a convolution is a matrix of its output channels by all else. The update has the
    size of one by AdamW, so learning rate and weight decay carry over (arXiv:2502.16982, eq. 4).

    Sharded matrices are gathered one by one: the update of a matrix is no function of its rows, and
    its rounding would depend on how the rows are split.

    `torch.optim.Muon` has the same update of a matrix. But it refuses convolutions, leaves the
    other parameters to a second optimizer, whose state would have to be merged into one, and
    multiplies sharded matrices as they are.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
        steps: int = 5,
        eps: float = 1e-8,
    ) -> None:
        groups = [
            {"params": list(matrices), "orthogonal": True},
            {"params": list(others), "orthogonal": False},
        ]
        defaults: dict[str, Any] = {"lr": lr, "momentum": momentum, "betas": betas}
        defaults |= {"weight_decay": weight_decay, "steps": steps, "eps": eps}
        super().__init__([group for group in groups if group["params"]], defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update all parameters that have a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                parameters = [each for each in group["params"] if each.grad is not None]
                (self._step_muon if group["orthogonal"] else self._step_adamw)(parameters, group)
        return loss

    def _step_muon(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        for parameter in parameters:
            gradient = parameter.grad
            assert gradient is not None
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(gradient)
            average: Tensor = state["momentum"]
            average.lerp_(gradient, 1 - momentum)
            update = gather(gradient.lerp(average, momentum))  # Nesterov's look ahead
            matrix = update.flatten(1)
            update = orthogonalize(matrix, group["steps"]).reshape(update.shape)
            # an orthogonal matrix has a root mean square of 1 / sqrt(max(rows, columns))
            scale = 0.2 * max(matrix.shape) ** 0.5
            parameter.mul_(1 - lr * group["weight_decay"])
            parameter.add_(shard_like(update, parameter), alpha=-lr * scale)

    def _step_adamw(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        for each in parameters:
            if not self.state[each]:
                mean, square = torch.zeros_like(each), torch.zeros_like(each)
                step = torch.zeros((), device=each.device)
                self.state[each] = {"exp_avg": mean, "exp_avg_sq": square, "step": step}
        slots = [self.state[each] for each in parameters]
        adamw(
            list(parameters),
            [each.grad for each in parameters if each.grad is not None],
            [slot["exp_avg"] for slot in slots],
            [slot["exp_avg_sq"] for slot in slots],
            [],
            [slot["step"] for slot in slots],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """Return a matrix near the orthogonal factor U V^T of `matrix` = U S V^T, in bfloat16.

    A Newton-Schulz iteration with the odd polynomial a s + b s^3 + c s^5, whose coefficients bring
    small singular values to about 1 in few steps; they end between 0.7 and 1.2.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.bfloat16()
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x  # the Gram matrix of the shorter side is the smaller one
    x = x / x.norm().clamp(min=1e-7)  # singular values up to 1
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x
