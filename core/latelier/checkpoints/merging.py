"""Views of components whose weights include the changes of adapters."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.checkpoints.lora.layers import find_parameters, select_layers
from latelier.contracts.adapters import ConditionerAdapter, WeightAdapter, WeightChange
from latelier.nn.low_rank import LowRank

_Scaled = tuple[WeightChange, float]


def merge(
    components: Mapping[str, Component], adapters: Sequence[tuple[WeightAdapter, float]]
) -> dict[str, Component]:
    """Return views of the components that the adapters change; others are left out.

    A view has weights of its own where they are changed alone. All differences are of the unchanged
    weights, so that the order of adapters decides nothing. Sums are computed in float32.

    Args:
        components: the denoiser and conditioners of a model, by place.
        adapters: each with its scale; 0 changes nothing.
    """
    parameters = find_parameters({place: each.stored for place, each in components.items()})
    changes: dict[str, list[_Scaled]] = {}
    for adapter, scale in adapters:
        for address, change in adapter.changes.items() if scale != 0 else ():
            changes.setdefault(address, []).append((change, scale))
    with torch.no_grad():
        weights = {
            address: _merge_parameter(parameters[address], own) for address, own in changes.items()
        }
    changed = {place: select_layers(weights, place) for place in components}
    views = {place: components[place].with_weights(own) for place, own in changed.items() if own}
    for adapter, scale in adapters:
        if isinstance(adapter, ConditionerAdapter) and scale != 0:
            views |= _extend({**components, **views}, adapter)
    return views


def _extend(
    components: Mapping[str, Component], adapter: ConditionerAdapter
) -> dict[str, Component]:
    """Return views of the conditioners that an adapter extends, by place."""
    views = {
        place: each.with_view(adapter.extend)
        for place, each in components.items()
        if each.kind == "conditioner"
    }
    return {place: view for place, view in views.items() if view is not components[place]}


def _merge_parameter(weight: Tensor, changes: Sequence[_Scaled]) -> Tensor:
    """Return a parameter plus its changes, those of low rank in one matrix product."""
    merged = weight.float()
    low_rank = [(change, scale) for change, scale in changes if isinstance(change, LowRank)]
    for change, scale in changes:
        if not isinstance(change, LowRank):
            merged = merged.add(change.difference(weight).to(weight.device), alpha=scale)
    if low_rank:
        up, down = _join(low_rank, weight.device)
        merged = torch.addmm(merged.flatten(1), up, down).view(weight.shape)
    return merged.to(weight.dtype)


def _join(changes: Sequence[tuple[LowRank, float]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the factors (C_out, r) and (r, C_in * kernel) of the sum of low-rank changes."""
    ups = [each.up.to(device).float() * (scale * each.scale) for each, scale in changes]
    downs = [each.down.to(device).float().flatten(1) for each, _ in changes]
    return torch.cat(ups, dim=1), torch.cat(downs)
