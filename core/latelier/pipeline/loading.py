"""Loading a saved pipeline."""

from pathlib import Path
from typing import Any

import torch

from latelier.checkpoints.component import Component, restore, validate_config
from latelier.checkpoints.manifests import StoredComponent
from latelier.contracts.errors import CompatibilityError
from latelier.kernel.atelier import Atelier
from latelier.kernel.default import default_atelier
from latelier.kernel.spec import Kind
from latelier.nn.compilation import compile_blocks
from latelier.pipeline.adapters import attach_saved
from latelier.pipeline.compatibility import check_composition
from latelier.pipeline.composition import inpainting_names, public_inputs
from latelier.pipeline.offload import make_offload
from latelier.pipeline.pipeline import Pipeline
from latelier.pipeline.placement import resolve_device
from latelier.pipeline.planning.memory import check_model_fits
from latelier.pipeline.quantization import check_quantization, quantize_denoiser
from latelier.pipeline.storage.manifest import Manifest, read_manifest
from latelier.pipeline.storage.sources import find


def load(
    name: str | Path,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    *,
    compile: bool = False,  # noqa: A002 (torch's name)
    offload: str | None = None,
    quantize: str | None = None,
    atelier: Atelier | None = None,
) -> Pipeline:
    """Return the pipeline called `name`: an embedded model, a path, or owner/name on the hub.

    Args:
        name: owner/name@revision pins a revision of the hub. Nothing else uses the network.
        device: 'auto', 'cpu', 'cuda' ...
        dtype: 'auto', 'float32', 'bfloat16' ...
        compile: compile the blocks of the denoiser when they are first called. docs/performance.md
            says when it pays.
        offload: what is on the device at a time, the other weights being in main memory:
            "components", one of them; "blocks", one block of the denoiser and the next; None: all.
        quantize: format of the weights of the denoiser's linear layers, "int8" or "fp8", which is
            what latelier[quantize] installs torchao for; None: the precision `dtype`.
        atelier: its registries have the components; None: the default one.

    Raises:
        UnknownNameError: there is no such model; suggests the nearest embedded one.
        ModelFileError: a file is missing, damaged or changed, or a plugin is not installed.
        CompatibilityError: components do not fit together.
        InvalidInputError: this machine has no such device, or torch no such precision; blocks that
            are compiled, or quantized, cannot be offloaded; torchao is not installed.
        NotEnoughMemoryError: the weights do not fit in the free memory.
    """
    atelier = atelier or default_atelier()
    place = resolve_device(device, dtype)
    offloaded = make_offload(offload, *place, compiles=compile)
    check_quantization(quantize, offload)
    source = find(str(name))
    manifest = read_manifest(source.folder)
    check_manifest(manifest, source.folder, atelier)
    first_stage, denoiser, conditioners = _restore_components(manifest, source.folder, atelier)
    if compile:
        compile_blocks(denoiser.module)
    if offloaded is None:
        check_model_fits((first_stage, denoiser, *conditioners.values()), *place)
        first_stage = first_stage.to(*place)
        if quantize is None:
            denoiser = denoiser.to(*place)
        else:
            denoiser = quantize_denoiser(denoiser, *place, quantize)
        conditioners = {name: each.to(*place) for name, each in conditioners.items()}
    pipeline = Pipeline(
        atelier=atelier,
        first_stage_component=first_stage,
        denoiser_component=denoiser,
        conditioner_components=conditioners,
        process=manifest.process,
        inputs=manifest.inputs,
        defaults=manifest.defaults,
        device=place[0],
        dtype=place[1],
        source=source,
        description=manifest.description,
        card=manifest.card,
        offload=offloaded,
    )
    if manifest.preview_decoder is not None:
        decoder = restore("first_stage", manifest.preview_decoder, source.folder, atelier)
        pipeline = pipeline.with_preview_decoder(decoder)
    if manifest.adapters:
        modules = pipeline.base_modules()
        adapters = {
            name: attach_saved(saved, source.folder, modules, place, atelier)
            for name, saved in manifest.adapters.items()
        }
        pipeline = pipeline.with_adapters(adapters)
    atelier.dispatcher().emit("latelier_pipeline_composed", pipeline=pipeline)
    return pipeline


def _restore_components(
    manifest: Manifest, folder: Path, atelier: Atelier
) -> tuple[Component, Component, dict[str, Component]]:
    """Return the first stage, the denoiser and the conditioners by name, mapped from disk."""

    def restore_component(kind: Kind, stored: StoredComponent) -> Component:
        return restore(kind, stored, folder, atelier)

    return (
        restore_component("first_stage", manifest.first_stage),
        restore_component("denoiser", manifest.denoiser),
        {
            name: restore_component("conditioner", stored)
            for name, stored in manifest.conditioners.items()
        },
    )


def check_manifest(manifest: Manifest, folder: Path, atelier: Atelier) -> None:
    """Check that the components of a manifest are installed and fit; no weight is read.

    Raises:
        ModelFileError: a plugin is not installed.
        InvalidConfigError: a component refuses its configuration, or the inputs do not feed every
            conditioner once.
        CompatibilityError: components do not fit together.
    """
    conditioners: Any = {
        name: validate_config("conditioner", stored, folder, atelier)
        for name, stored in manifest.conditioners.items()
    }
    first_stage: Any = validate_config("first_stage", manifest.first_stage, folder, atelier)
    denoiser: Any = validate_config("denoiser", manifest.denoiser, folder, atelier)
    check_composition(first_stage, denoiser, conditioners)
    taken = {*conditioners, *denoiser.inputs().streams}
    with_input = [name for name, each in manifest.adapters.items() if each.conditioner]
    for name in with_input:
        if manifest.inputs.get(name) != (name,) or name in taken:
            raise CompatibilityError(
                f"{folder}: the adapter '{name}' needs an input of the same name for itself"
            )
    names = {*conditioners, *with_input}
    public_inputs(manifest.inputs, names, inpainting_names(conditioners))
