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
    missing = [name for name in config.layers if name not in cross_attentions]
    if missing:
        return f"has {_listed(missing)}, which this denoiser has not; {_there(cross_attentions)}"
    other = [
        f"'{name}' of width {width}, which is {cross_attentions[name]} here"
        for name, width in config.layers.items()
        if width != cross_attentions[name]
    ]
    if not other:
        return None
    more = f" (and {len(other) - _SHOWN} more)" if len(other) > _SHOWN else ""
    return f"is for another denoiser: it has {', '.join(other[:_SHOWN])}{more}"


def _there(cross_attentions: Mapping[str, int]) -> str:
    first, *_ = cross_attentions
    return f"its {len(cross_attentions)} cross-attentions are named such as '{first}'"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "the layers " + ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more
