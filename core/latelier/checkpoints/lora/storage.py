"""A LoRA in a folder: `adapter.json` and one file of weights."""

from collections.abc import Mapping
from pathlib import Path

from latelier._version import __version__
from latelier.checkpoints.component import Component
from latelier.checkpoints.io.verification import verify
from latelier.checkpoints.lora.lora import LoadedLora, lora_component
from latelier.checkpoints.lora.reading import read_lora
from latelier.checkpoints.lora.writing import Layout, write_lora
from latelier.checkpoints.manifests import (
    ADAPTER_FILE,
    LORA_ID,
    StoredComponent,
    StoredFile,
    StoredLora,
)
from latelier.contracts.errors import ModelFileError
from latelier.io.atomic import write_json


def store_lora(
    loaded: LoadedLora,
    components: Mapping[str, Component],
    folder: Path,
    file: str = "lora.safetensors",
    layout: Layout = "latelier",
) -> StoredLora:
    """Write the weights of a LoRA to a file in `folder`.

    Args:
        loaded: the LoRA.
        components: the denoiser and conditioners of its model, by place.
        folder: where to write.
        file: name of the file.
        layout: see `write_lora`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = write_lora(folder / file, loaded.lora, components, layout)
    stored = StoredComponent(
        id=LORA_ID,
        version=__version__,
        config=loaded.lora.config.model_dump(mode="json"),
        weights=StoredFile(path=file, sha256=sha256),
    )
    return StoredLora(
        latelier=__version__,
        name=loaded.name,
        description=loaded.description,
        adapter=stored,
        defaults=dict(loaded.defaults),
        trained_on=loaded.trained_on,
        card=dict(loaded.card),
    )


def save_lora(
    loaded: LoadedLora,
    components: Mapping[str, Component],
    folder: Path,
    layout: Layout = "diffusers",
) -> None:
    """Write a LoRA to a folder of its own; `adapter.json` comes last."""
    stored = store_lora(loaded, components, folder, layout=layout)
    write_json(folder / ADAPTER_FILE, stored.model_dump(mode="json"))


def restore_lora(
    stored: StoredLora, folder: Path, components: Mapping[str, Component]
) -> LoadedLora:
    """Read a stored LoRA for a model.

    Raises:
        ModelFileError: the file is missing, damaged or changed, or no LoRA.
        CompatibilityError: it is for a model of other layers; names them.
    """
    if stored.adapter.id != LORA_ID or stored.adapter.weights is None:
        raise ModelFileError(
            f"{folder}: expected '{LORA_ID}' with weights, got '{stored.adapter.id}'"
        )
    weights = stored.adapter.weights
    path = verify(weights.within(folder), weights.sha256)
    lora = read_lora(path, components).lora
    component = lora_component(lora, weights.sha256)
    return LoadedLora(
        stored.name,
        component,
        stored.description,
        stored.defaults,
        stored.trained_on,
        stored.card,
    )
