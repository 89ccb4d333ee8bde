"""What our own API tells, as JSON values."""

import inspect
from contextlib import suppress
from typing import Any

from latelier.contracts.errors import LatelierError
from latelier.contracts.options import options_model
from latelier.kernel.registry import Registry
from latelier.pipeline import Pipeline
from latelier.pipeline.databases import open_database

from latelier_server.errors import describe_error
from latelier_server.gallery.gallery import GalleryEntry
from latelier_server.jobs.job import ServerJob
from latelier_server.models.pool import ModelPool
from latelier_server.models.summary import ModelSummary


def describe_summary(summary: ModelSummary, pool: ModelPool) -> dict[str, Any]:
    """Return what is known of a model before it is loaded."""
    return {
        "name": summary.name,
        "description": summary.description,
        "size": summary.size,
        "inputs": list(summary.inputs),
        "bytes": summary.bytes,
        "is_default": summary.name == pool.default,
        "is_loaded": any(each.name == summary.name for each in pool.loaded()),
    }


def describe_model(pipe: Pipeline, name: str) -> dict[str, Any]:
    """Return what a form for requests to a model needs.

    `request` and `inputs` are JSON schemas; `samplers`, `schedules`, `guidances` and
    `accelerations` list names with a line about each and the JSON schema of its options; `adapters`
    are the inputs of adapters, `inpainting` those that `init_image` and `mask` fill, and `subjects`
    names of what the model can draw.
    """
    atelier = pipe.atelier
    of_masks = set(pipe.inpainting_conditioners)
    return {
        "name": name,
        "description": pipe.description,
        "size_multiple": pipe.size_multiple,
        "inputs": pipe.input_schemas(),
        "adapters": sorted(pipe.adapters.keys() & pipe.inputs.keys()),
        "inpainting": [public for public, fed in pipe.inputs.items() if of_masks.issuperset(fed)],
        "request": pipe.request_schema(),
        "samplers": [
            each
            for each in describe_functions(atelier.samplers)
            if not each["traits"].get("is_inversion")
        ],
        "schedules": describe_functions(atelier.schedules),
        "guidances": describe_functions(atelier.guidances),
        "accelerations": describe_functions(atelier.accelerations),
        "subjects": find_subjects(pipe),
    }


def describe_functions(registry: Registry[Any]) -> list[dict[str, Any]]:
    """Return name, summary, documentation, traits and options of each function of a registry."""
    found = []
    for name in registry.names():
        function = registry.get(name)
        module = inspect.getmodule(function)
        about = inspect.getdoc(module) or inspect.getdoc(function) or ""
        spec = registry.spec(name)
        found.append(
            {
                "name": name,
                "summary": spec.summary,
                "about": about.partition("\n")[0],
                "traits": spec.traits.model_dump() if spec.traits else {},
                "options": options_model(function).model_json_schema(),
            }
        )
    return found


def describe_job(job: ServerJob) -> dict[str, Any]:
    """Return the state of a job, with the paths of its pictures."""
    return {
        "id": job.id,
        "model": job.model,
        "state": job.state,
        "created": job.created,
        "position": job.position,
        "progress": job.progress,
        "step": job.step,
        "steps": job.steps,
        "batch": job.batch,
        "batches": job.batches,
        "pictures": [
            {
                "url": f"/api/jobs/{job.id}/pictures/{index}",
                "seed": picture.seed,
                "width": picture.width,
                "height": picture.height,
                "gallery_id": picture.gallery_id,
                "drew": list(picture.drew),
            }
            for index, picture in enumerate(job.pictures)
        ],
        "warnings": list(job.warnings),
        "error": None if job.error is None else describe_error(job.error),
        "result": job.result,
    }


def describe_entry(entry: GalleryEntry) -> dict[str, Any]:
    """Return a picture of the gallery."""
    return {
        "id": entry.id,
        "url": f"/api/gallery/{entry.id}/picture",
        "created": entry.created,
        "model": entry.model,
        "request": entry.request,
        "seed": entry.seed,
        "width": entry.size[0],
        "height": entry.size[1],
        "drew": entry.drew,
        "starred": entry.starred,
    }


def find_subjects(pipe: Pipeline) -> list[str]:
    """Return names of what a model can draw: of its database, else of the labels of its inputs.

    Words of captions are none: "of" and "background" are among them.
    """
    database = pipe.defaults.database
    if database is not None:
        with suppress(LatelierError):  # of a plugin that is not here
            return [entry.name for entry in open_database(database, pipe.atelier).entries]
    labels = (
        conditioner.vocabulary()
        for conditioner in pipe.conditioners.values()
        if conditioner.config.reference_role != "text"
    )
    return list(next(filter(None, labels), ()))
