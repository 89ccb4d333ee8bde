"""How a picture was made: enough to make it again and to find what differs."""

import platform
from collections.abc import Mapping
from typing import Any

import torch

from latelier._version import __version__
from latelier.kernel.atelier import Atelier
from latelier.kernel.dispatcher import HookDispatcher
from latelier.kernel.trust.entry_points import BUILT_IN, GROUP
from latelier.nn.compilation import is_compiled
from latelier.pipeline.adapters import AttachedAdapter
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.plan import Plan
from latelier.pipeline.quantization import find_quantization
from latelier.pipeline.request import Request
from latelier.provenance.pixels import pixel_hash

RUN_HOOKS = (
    "latelier_pipeline_composed",
    "latelier_before_step",
    "latelier_after_step",
    "latelier_images_finished",
)
"""The hooks of a run that makes pictures."""


def describe_run(parts: PipelineParts, plan: Plan, dispatcher: HookDispatcher) -> dict[str, Any]:
    """Return what all pictures of a batch share, as JSON values.

    Args:
        parts: the pipeline's.
        plan: of the batch.
        dispatcher: of the run.
    """
    builder = parts.condition_builder()
    inputs = {
        "inputs": builder.to_json(plan.inputs) | plan.references.to_json(),
        "negative": builder.to_json(plan.negative) | plan.negative_references.to_json(),
    }
    request = plan.request.model_copy(update=inputs)
    functions = _describe_functions(parts.atelier, request)
    given = {"init_image": request.init_image or (), "mask": request.mask or ()}
    return {
        "latelier": __version__,
        "api": GROUP,
        "model": {
            "name": parts.source.name if parts.source else None,
            "revision": parts.source.revision if parts.source else None,
        },
        "components": {
            place: {
                "id": component.id,
                "version": component.version,
                "config_sha256": component.config_sha256,
                "weights_sha256": component.weights_sha256,
                "assets_sha256": dict(component.assets_sha256),
            }
            for place, component in parts.components().items()
        },
        "adapters": {name: _describe_adapter(each) for name, each in parts.adapters.items()},
        "functions": functions,
        "plugins": plugin_records(parts, functions, dispatcher),
        "process": parts.process.model_dump(mode="json"),
        "request": request.model_dump(mode="json"),
        "pictures_sha256": {name: [pixel_hash(image) for image in given[name]] for name in given},
        "count": plan.count,
        "steps": plan.sigmas.steps,
        "rows": parts.rows,
        "machine": describe_machine(parts),
    }


def plugin_records(
    parts: PipelineParts, functions: Mapping[str, Any], dispatcher: HookDispatcher
) -> dict[str, dict[str, Any]]:
    """Return the plugins that take part in a run, by distribution, as JSON values.

    latelier itself is not among them: its version is recorded, and its weights have hashes.

    Args:
        parts: the pipeline's.
        functions: sampler, schedule, guidance, acceleration and database, each with its `id`.
        dispatcher: of the run.
    """
    places = {place: component.id for place, component in parts.components().items()}
    places |= {place: function["id"] for place, function in functions.items()}
    for name, adapter in parts.adapters.items():
        if adapter.plugin_source is not None:
            places[f"adapters.{name}"] = adapter.plugin_source.name
    made: dict[str, list[str]] = {}
    for place, id_ in places.items():
        made.setdefault(id_.partition("/")[0], []).append(place)
    hooks: dict[str, list[str]] = {}
    for hook in RUN_HOOKS:
        for implementation in dispatcher.implementations(hook):
            own = hooks.setdefault(implementation.plugin_name.partition(":")[0], [])
            own.extend([hook] if hook not in own else [])
    return {
        name: {
            **plugin_identity(name, parts.atelier),
            "parts": made.get(name, []),
            "hooks": hooks.get(name, []),
        }
        for name in sorted({*made, *hooks} - {BUILT_IN})
    }


def plugin_identity(name: str, atelier: Atelier) -> dict[str, Any]:
    """Return the version of a plugin and the hash of its files."""
    files = atelier.fingerprint(name)
    return {
        "version": plugin_version(name, atelier),
        "sha256": files.sha256 if files else None,
        "editable": files.editable if files else False,
    }


def plugin_version(name: str, atelier: Atelier) -> str | None:
    """Return the version of a plugin that is loaded; None of any other."""
    loaded = (each for each in atelier.plugins if each.state == "ok")
    return next((each.version for each in loaded if each.distribution == name), None)


def describe_machine(parts: PipelineParts) -> dict[str, Any]:
    """Return the facts about a machine, and the pipeline on it, on which bits depend."""
    return {
        "type": platform.machine(),
        "processor": torch.cuda.get_device_name(parts.device)
        if parts.device.type == "cuda"
        else torch.backends.cpu.get_cpu_capability(),
        "device": parts.device.type,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "precision": str(parts.dtype).removeprefix("torch."),
        "compiled": is_compiled(parts.denoiser_component.module),
        "quantized": find_quantization(parts.denoiser_component.module),
    }


def _describe_adapter(adapter: AttachedAdapter) -> dict[str, Any]:
    source, trained_on = adapter.source, adapter.loaded.trained_on
    return {
        "source": source.name if source else None,
        "version": source.version if source else None,
        **vars(adapter.strength),
        "trained_on": trained_on.model_dump(mode="json") if trained_on else None,
    }


def _describe_functions(atelier: Atelier, request: Request) -> dict[str, Any]:
    specs = {
        "sampler": atelier.samplers.spec(request.sampler.name),
        "schedule": atelier.schedules.spec(request.schedule.name),
        "guidance": atelier.guidances.spec(request.guidance.name),
    }
    if request.acceleration is not None:
        specs["acceleration"] = atelier.accelerations.spec(request.acceleration.name)
    if request.database is not None:
        specs["database"] = atelier.databases.spec(request.database)
    return {place: {"id": spec.id, "version": spec.version} for place, spec in specs.items()}
