"""Saving a pipeline."""

from pathlib import Path

from latelier._version import __version__
from latelier.checkpoints.component import store
from latelier.io.atomic import write_json
from latelier.pipeline.parts import PipelineParts
from latelier.pipeline.storage.manifest import Manifest
from latelier.pipeline.storage.manifest_header import MANIFEST


def save(parts: PipelineParts, folder: Path) -> None:
    """Write safetensors, other assets, and `latelier.json`, which comes last, to a folder.

    Raises:
        OSError: a file cannot be written.
    """
    base, modules = parts.base_components(), parts.base_modules()
    manifest = Manifest(
        latelier=__version__,
        description=parts.description,
        first_stage=store(parts.first_stage_component, folder, "first_stage"),
        preview_decoder=(
            None
            if parts.preview_component is None
            else store(parts.preview_component, folder, "preview_decoder")
        ),
        denoiser=store(base["denoiser"], folder, "denoiser"),
        conditioners={
            name: store(base[f"conditioners.{name}"], folder, f"conditioner.{name}")
            for name in parts.conditioner_components
        },
        adapters={name: each.store(name, modules, folder) for name, each in parts.adapters.items()},
        process=parts.process,  # type: ignore[arg-type]
        inputs=dict(parts.inputs),
        defaults=parts.defaults,
        card=dict(parts.card),
    )
    write_json(folder / MANIFEST, manifest.model_dump(mode="json"))
