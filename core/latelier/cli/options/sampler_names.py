"""Samplers and schedules under the names of AUTOMATIC1111's web UI."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latelier.contracts.a1111_names import translate_sampler, translate_schedule
from latelier.pipeline.request import NamedOptions

if TYPE_CHECKING:
    from latelier.kernel.atelier import Atelier


def translate_names(request: Mapping[str, Any], atelier: "Atelier") -> dict[str, Any]:
    """Return the request with our names where sampler and schedule have those of the web UI.

    The schedule of "DPM++ 2M Karras" counts where the request has none. Names that are registered
    stay, and so do those that are unknown under all names.
    """
    translated = dict(request)
    samplers, schedules = atelier.samplers.names(), atelier.schedules.names()
    sampler, schedule = request.get("sampler"), request.get("schedule")
    if schedule is not None and schedule.name not in schedules:
        ours = translate_schedule(schedule.name)
        translated["schedule"] = _rename(schedule, ours if ours in schedules else schedule.name)
    if sampler is not None and sampler.name not in samplers:
        ours, named = translate_sampler(sampler.name)
        if ours in samplers:
            translated["sampler"] = _rename(sampler, ours)
            if named is not None:
                translated.setdefault("schedule", NamedOptions(name=named))
    return translated


def _rename(choice: NamedOptions, name: str) -> NamedOptions:
    return choice.model_copy(update={"name": name})
