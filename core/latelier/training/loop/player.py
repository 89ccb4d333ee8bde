"""One player of a training: a module with an optimizer of its own."""

from torch import Tensor, nn
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.devices.shards import gather, shard_like
from latelier.training.objective import MODEL, Objective
from latelier.training.optimization.optimizer import (
    get_optimizer_state,
    load_optimizer_state,
    make_optimizer,
    set_rate,
)

_CLIP_EPSILON = 1e-6
"""torch adds it to the norm; a norm so far below the limit leaves the gradients as they are."""


def make_players(objective: Objective, default: OptimizerConfig) -> list["Player"]:
    """Return the players of an objective; those without an optimizer of their own have `default`.

    Raises:
        InvalidConfigError: an optimizer is not found, or it does not take an option.
    """
    return [
        Player(name, module, objective.optimizer_of(name) or default)
        for name, module in objective.players.items()
    ]


class Player:
    """A module with an optimizer of its own.

    Attributes:
        name: Name of the player in its objective.
        module: What is optimized.
    """

    def __init__(self, name: str, module: nn.Module, config: OptimizerConfig) -> None:
        self.name = name
        self.module = module
        self._optimizer: Optimizer = make_optimizer(module, config)
        self._parameters = [each for each in module.parameters() if each.requires_grad]
        self._peak_rate = config.lr
        self._max_norm = config.clip

    def require_gradients(self, required: bool) -> None:
        """Set whether gradients of the parameters are computed."""
        for parameter in self._parameters:
            parameter.requires_grad_(required)

    def label(self, term: str) -> str:
        """Return the name of a term in reports: the losses of players differ in name."""
        return f"{self.name}_loss" if term == "loss" and self.name != MODEL else term

    def zero_gradients(self) -> None:
        """Discard the gradients."""
        self._optimizer.zero_grad()

    def clip_gradients(self, loss_scale: float) -> Tensor:
        """Divide the gradients by the loss scale, clip them, and return their norm before it."""
        if loss_scale != 1.0:
            for parameter in self._parameters:
                if parameter.grad is not None:
                    parameter.grad.div_(loss_scale)
        norm = get_total_norm(each.grad for each in self._parameters if each.grad is not None)
        whole = gather(norm)
        if not whole.item() <= self._max_norm - _CLIP_EPSILON:  # also if it is NaN
            clip_grads_with_norm_(self._parameters, self._max_norm, norm)
        return whole

    def step(self, share: float) -> None:
        """Update the parameters with a share of the peak learning rate."""
        set_rate(self._optimizer, self._peak_rate * share)
        self._optimizer.step()

    def weights(self) -> dict[str, Tensor]:
        """Return the weights by their names in a checkpoint."""
        return self._rename(self.module.state_dict())

    def optimizer_state(self) -> dict[str, Tensor]:
        """Return the optimizer's state by its names in a checkpoint."""
        return self._rename(get_optimizer_state(self._optimizer, self.module))

    def load(self, weights: dict[str, Tensor], optimizer_state: dict[str, Tensor]) -> None:
        """Restore weights and optimizer from the whole tensors of a checkpoint."""
        own = self.module.state_dict()
        self.module.load_state_dict(
            {name: shard_like(tensor, own[name]) for name, tensor in self._select(weights).items()}
        )
        slots = {
            key: shard_like(tensor, own[key.rsplit("/", 1)[0]])
            for key, tensor in self._select(optimizer_state).items()
        }
        load_optimizer_state(self._optimizer, self.module, slots)

    def _rename(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if self.name == MODEL:
            return tensors
        return {f"{self.name}:{name}": tensor for name, tensor in tensors.items()}

    def _select(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        names = {name: name.rpartition(":") for name in tensors}
        owner = "" if self.name == MODEL else self.name
        return {own: tensors[name] for name, (player, _, own) in names.items() if player == owner}
