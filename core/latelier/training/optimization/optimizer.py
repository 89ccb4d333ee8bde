"""The optimizer of a training, and its state as named tensors."""

from importlib import import_module

import torch
from torch import Tensor, nn

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.optimization import OptimizerConfig
from latelier.training.optimization.muon import Muon


def make_optimizer(module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Return an optimizer of the parameters of `module` that require a gradient.

    Raises:
        InvalidConfigError: the optimizer is not found, or it does not take an option.
    """
    parameters = [each for each in module.parameters() if each.requires_grad]
    lr, decay = config.lr, config.weight_decay
    try:
        match config.name:
            case "adamw":
                # fused is 4 to 8 times as fast on a CPU
                return torch.optim.AdamW(
                    parameters,
                    lr=lr,
                    betas=config.betas,
                    weight_decay=decay,
                    fused=True,
                    **config.options,
                )
            case "muon":
                matrices, others = _split_matrices(module)
                return Muon(
                    matrices,
                    others,
                    lr=lr,
                    betas=config.betas,
                    momentum=config.momentum,
                    weight_decay=decay,
                    **config.options,
                )
            case _:
                kind = _find_optimizer(config.name)
                return kind(parameters, lr=lr, weight_decay=decay, **config.options)  # type: ignore[call-arg]
    except (TypeError, ValueError) as error:
        raise InvalidConfigError(f"optimizer '{config.name}': {error}") from None


def set_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def get_optimizer_state(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's state as tensors named "<parameter>/<slot>"."""
    return {
        f"{name}/{slot}": torch.as_tensor(value)
        for name, parameter in module.named_parameters()
        for slot, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, module: nn.Module, tensors: dict[str, Tensor]
) -> None:
    """Restore the state that `get_optimizer_state` returned.

    Raises:
        InvalidConfigError: the state is that of another optimizer.
    """
    groups = optimizer.state_dict()["param_groups"]
    ordered = [each for group in optimizer.param_groups for each in group["params"]]
    indices = {id(each): index for index, each in enumerate(ordered)}
    names = {name: indices.get(id(each)) for name, each in module.named_parameters()}
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, slot = key.rsplit("/", 1)
        index = names.get(name)
        if index is None:
            raise InvalidConfigError(f"the optimizer has no parameter '{name}' to restore")
        state.setdefault(index, {})[slot] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _split_matrices(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return weights that map vectors to vectors, and all others: biases, norms, embeddings."""
    embeddings = {
        id(each) for part in module.modules() if isinstance(part, nn.Embedding)
        for each in part.parameters()
    }  # fmt: skip
    parameters = [each for each in module.parameters() if each.requires_grad]
    is_matrix = [each.ndim >= 2 and id(each) not in embeddings for each in parameters]
    matrices = [each for each, yes in zip(parameters, is_matrix, strict=True) if yes]
    others = [each for each, yes in zip(parameters, is_matrix, strict=True) if not yes]
    return matrices, others


def _find_optimizer(path: str) -> type[torch.optim.Optimizer]:
    """Return the optimizer class at a dotted path."""
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name) if module else None
    except (ImportError, AttributeError) as error:
        raise InvalidConfigError(f"optimizer.name: '{path}' cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, torch.optim.Optimizer)):
        raise InvalidConfigError(
            f"optimizer.name: '{path}' is no optimizer; "
            "expected adamw, muon or a dotted path such as torch.optim.NAdam"
        )
    return found
