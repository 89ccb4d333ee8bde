"""Views of components whose weights include those of LoRAs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.checkpoints.lora.lora import Lora, find_layers, select_layers


def merge(
    components: Mapping[str, Component], loras: Sequence[tuple[Lora, float]]
) -> dict[str, Component]:
    """Return views of the components that the LoRAs change; others are left out.

    A view has weights of its own in the changed layers alone. Sums are computed in float32.

    Args:
        components: the denoiser and conditioners of a model, by place.
        loras: each with its scale; 0 changes nothing.
    """
    active = [(lora, scale) for lora, scale in loras if scale != 0]
    stored = {k: replace(each, module=each.stored) for k, each in components.items()}
    layers = find_layers(stored)
    weights: dict[str, Tensor] = {}
    with torch.no_grad():
        for address in dict.fromkeys(each for lora, _ in active for each in lora.changes):
            weights[f"{address}.weight"] = _merge_layer(address, layers[address].weight, active)
    changed = {place: select_layers(weights, place) for place in components}
    return {place: components[place].with_weights(own) for place, own in changed.items() if own}


def _merge_layer(address: str, weight: Tensor, loras: Sequence[tuple[Lora, float]]) -> Tensor:
    """Return the weight of a layer plus the changes of all LoRAs, in one matrix product."""
    ups, downs = [], []
    for lora, scale in loras:
        change = lora.changes.get(address)
        if change is not None:
            down, up = (each.to(weight.device).float() for each in (change.down, change.up))
            ups.append(up * (scale * change.scale))
            downs.append(down.flatten(1))
    merged = torch.addmm(weight.float().flatten(1), torch.cat(ups, dim=1), torch.cat(downs))
    return merged.view(weight.shape).to(weight.dtype)
