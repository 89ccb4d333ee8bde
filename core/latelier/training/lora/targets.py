"""The layers that a LoRA changes, chosen by patterns of their addresses."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import torch

from latelier.checkpoints.lora.lora import Lora
from latelier.checkpoints.lora.names import DENOISER
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.messages import suggest_nearest
from latelier.nn.low_rank import ChangeableLayer, create_low_rank, max_rank
from latelier.training.configs.lora import ATTENTION, LoraTarget, LoraTraining
from latelier.training.randomness import seed_torch


def create_lora(layers: Mapping[str, ChangeableLayer], config: LoraTraining) -> Lora:
    """Return an untrained LoRA, which has no effect, for the layers that a training names.

    Args:
        layers: of the model, by address.
        config: of the training.

    Raises:
        InvalidConfigError: a target names no layer, or has a rank above the size of one.
    """
    chosen = choose_layers(layers, config.targets)
    with seed_torch(config.seed, 0, torch.device("cpu")):
        changes = {
            address: create_low_rank(
                layers[address],
                rank := target.rank or config.rank,
                target.alpha or config.alpha or float(rank),
                config.dropout,
            )
            for address, target in chosen.items()
        }
    for address, change in changes.items():
        if change.rank > max_rank(layers[address]):
            raise InvalidConfigError(
                f"rank: '{address}' has a weight of {tuple(layers[address].weight.shape)}; "
                f"expected a rank of at most {max_rank(layers[address])}, got {change.rank}"
            )
    return Lora(changes)


def choose_layers(
    layers: Mapping[str, ChangeableLayer], targets: tuple[LoraTarget, ...]
) -> dict[str, LoraTarget]:
    """Return the last target that names each layer, by address, in the order of the layers.

    Raises:
        InvalidConfigError: a target names no layer; suggests the nearest.
    """
    named = {
        target: [address for address in layers if fnmatchcase(address, target.layers)]
        for target in targets
    }
    if targets == ATTENTION and any(named.values()):
        named = {target: found for target, found in named.items() if found}
    for target, found in named.items():
        if not found:
            raise InvalidConfigError(
                f"targets: '{target.layers}' names no layer of the model. "
                f"{suggest_nearest(target.layers, _list_names(target.layers, layers))}"
            )
    by_layer = {address: target for target, found in named.items() for address in found}
    return {address: by_layer[address] for address in layers if address in by_layer}


def _list_names(pattern: str, addresses: Iterable[str]) -> set[str]:
    """Return what a target could be: addresses, or patterns of all layers of one name."""
    if "*" not in pattern:
        return set(addresses)
    names = set()
    for address in addresses:
        path = address.split(".")
        place = path[:1] if path[0] == DENOISER else path[:2]
        leaf = path[-2:] if path[-1].isdecimal() else path[-1:]
        names.add(".".join([*place, "*", *leaf]))
    return names
