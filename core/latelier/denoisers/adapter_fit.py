"""Whether an adapter was made for cross-attentions such as a denoiser has."""

from collections.abc import Mapping

from latelier.denoisers.adapter_config import AdapterConfig

_SHOWN = 3


def misfit(config: AdapterConfig, cross_attentions: Mapping[str, int]) -> str | None:
    """Return what is wrong with an adapter for a denoiser, or None where it fits.

    Args:
        config: the adapter's.
        cross_attentions: name -> width of the denoiser's.
    """
    if not cross_attentions:
        return "is added to cross-attentions, and this denoiser has none"
    missing = [f"'{name}'" for name in config.layers if name not in cross_attentions]
    if missing:
        there = _there(cross_attentions)
        return f"has the layers {_listed(missing)}, which this denoiser has not; {there}"
    other = [
        f"'{name}' of width {width}, which is {cross_attentions[name]} here"
        for name, width in config.layers.items()
        if width != cross_attentions[name]
    ]
    return f"is for another denoiser: it has {_listed(other)}" if other else None


def _there(cross_attentions: Mapping[str, int]) -> str:
    first, *_ = cross_attentions
    return f"its {len(cross_attentions)} cross-attentions are named such as '{first}'"


def _listed(layers: list[str]) -> str:
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    return ", ".join(layers[:_SHOWN]) + more
