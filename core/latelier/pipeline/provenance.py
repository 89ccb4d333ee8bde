"""How a picture was made: enough to make it again and to say what differs."""

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from latelier._version import __version__
from latelier.kernel.atelier import Atelier
from latelier.kernel.dispatcher import HookDispatcher
from latelier.kernel.trust.entry_points import BUILT_IN, GROUP
from latelier.pipeline.images import pixel_hash
from latelier.pipeline.request import Request

if TYPE_CHECKING:
    from latelier.pipeline.adapters import AttachedAdapter
    from latelier.pipeline.pipeline import Pipeline


TOLD = (
    "latelier_pipeline_composed",
    "latelier_before_step",
    "latelier_after_step",
    "latelier_images_finished",
)
"""The hooks of a run that makes pictures."""


def participants(
    pipeline: "Pipeline", functions: Mapping[str, Any], dispatcher: HookDispatcher
) -> dict[str, dict[str, Any]]:
    """Return, by distribution, the plugins that take part in a run, as JSON values.

    Args:
        pipeline: what ran.
        functions: sampler, schedule and guidance, each with its `id`.
        dispatcher: of the run.
    """
    parts: dict[str, list[str]] = {}
    places = {place: component.id for place, component in pipeline.components().items()}
    places |= {place: function["id"] for place, function in functions.items()}
    for name, adapter in pipeline.adapters.items():
        if adapter.registered is not None:
            places[f"adapters.{name}"] = adapter.registered.name
    for place, id_ in places.items():
        parts.setdefault(id_.partition("/")[0], []).append(place)
    told: dict[str, list[str]] = {}
    for hook in TOLD:
        for listener in dispatcher.implementations(hook):
            hooks = told.setdefault(listener.plugin_name.partition(":")[0], [])
            hooks.extend([hook] if hook not in hooks else [])
    return {
        name: {
            **plugin_identity(name, pipeline.atelier),
            "parts": parts.get(name, []),
            "told": told.get(name, []),
        }
        for name in sorted({*parts, *told} - {BUILT_IN})
    }


def plugin_identity(name: str, atelier: Atelier) -> dict[str, Any]:
    """Return the version and the hash of the files of a plugin."""
    files = atelier.fingerprint(name)
    return {
        "version": plugin_version(name, atelier),
        "sha256": files.sha256 if files else None,
        "editable": files.editable if files else False,
    }


def provenance_of(
    pipeline: "Pipeline", request: Request, count: int, steps: int, dispatcher: HookDispatcher
) -> dict[str, Any]:
    """Return what all `count` pictures of a run share, as JSON values.

    Args:
        pipeline: what ran.
        request: resolved, its inputs as JSON values (see `ConditionBuilder.readable`).
        count: number of pictures.
        steps: the steps that were made, which may be others than those asked for.
        dispatcher: what told plugins of the run.
    """
    functions = _functions(pipeline, request)
    given = {"init_image": request.init_image or (), "keep": request.keep or ()}
    return {
        "latelier": __version__,
        "api": GROUP,
        "model": _model(pipeline),
        "components": {
            place: {
                "id": component.id,
                "version": component.version,
                "config_sha256": component.config_sha256,
                "weights_sha256": component.weights_sha256,
                "assets_sha256": dict(component.assets_sha256),
            }
            for place, component in pipeline.components().items()
        },
        "adapters": {name: _adapter(each) for name, each in pipeline.adapters.items()},
        "functions": functions,
        "plugins": participants(pipeline, functions, dispatcher),
        "process": pipeline.process.model_dump(mode="json"),
        "request": request.model_dump(mode="json"),
        "pictures_sha256": {name: [pixel_hash(image) for image in given[name]] for name in given},
        "count": count,
        "steps": steps,
        "machine": machine(pipeline.device, pipeline.dtype),
    }


def machine(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Return what the same bits depend on beside the request: five facts of the machine."""
    return {
        "type": platform.machine(),
        "processor": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else torch.backends.cpu.get_cpu_capability(),
        "device": device.type,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": str(dtype).removeprefix("torch."),
    }


def _model(pipeline: "Pipeline") -> dict[str, Any]:
    source = pipeline.source
    return {
        "name": source.name if source else None,
        "revision": source.revision if source else None,
    }


def _adapter(attached: "AttachedAdapter") -> dict[str, Any]:
    source, trained_on = attached.source, attached.loaded.trained_on
    return {
        "source": source.name if source else None,
        "version": source.version if source else None,
        "scale": attached.scale,
        "trained_on": trained_on.model_dump(mode="json") if trained_on else None,
    }


def _functions(pipeline: "Pipeline", request: Request) -> dict[str, Any]:
    atelier = pipeline.atelier
    chosen = {
        "sampler": atelier.samplers.spec(request.sampler.name),
        "schedule": atelier.schedules.spec(request.schedule.name),
        "guidance": atelier.guidances.spec(request.guidance.name),
    }
    return {place: {"id": spec.id, "version": spec.version} for place, spec in chosen.items()}


def plugin_version(name: str, atelier: Atelier) -> str | None:
    """Return the version of a plugin that loaded."""
    loaded = [each for each in atelier.plugins if each.state == "ok"]
    return next((each.version for each in loaded if each.distribution == name), None)
