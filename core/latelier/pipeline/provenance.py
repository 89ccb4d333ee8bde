"""How a picture was made: enough to make it again and to say what differs."""

import platform
from typing import TYPE_CHECKING, Any

import torch

from latelier import __version__
from latelier.kernel.announcer import Announcer
from latelier.kernel.discovery import GROUP
from latelier.pipeline.images import pixel_hash
from latelier.pipeline.participants import participants
from latelier.pipeline.request import Request

if TYPE_CHECKING:
    from latelier.pipeline.adapters import AttachedAdapter
    from latelier.pipeline.pipeline import Pipeline


def provenance_of(
    pipeline: "Pipeline", request: Request, count: int, steps: int, announcer: Announcer
) -> dict[str, Any]:
    """Return what all `count` pictures of a run share, as JSON values.

    Args:
        pipeline: what ran.
        request: resolved, its inputs as JSON values (see `ConditionBuilder.readable`).
        count: number of pictures.
        steps: the steps that were made, which may be others than those asked for.
        announcer: what told plugins of the run.
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
        "plugins": participants(pipeline, functions, announcer),
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
