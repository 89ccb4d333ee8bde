"""First stages and denoisers of diffusers: configuration first, then weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.importers.diffusers.configs.first_stage import (
    KL,
    TINY,
    VQ,
    autoencoder_config_from_diffusers,
    tiny_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.transformer import (
    DITS,
    dit_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.unet import (
    CROSS,
    PLAIN,
    unet_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.folder import (
    CONFIG,
    name_file,
    read_class_config,
    read_component_weights,
)
from latelier.checkpoints.importers.diffusers.layouts.autoencoder import autoencoder_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.transformer import TABLE, dit_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.unet import UNET_TABLE, unet_from_diffusers
from latelier.contracts.frozen import validate
from latelier.contracts.importing import ImportedPart, ImportSource
from latelier.denoisers.configs import UNetConfig

_AUTOENCODERS = {KL: "latelier/autoencoder_kl", VQ: "latelier/autoencoder_vq"}
FIRST_STAGES = (*_AUTOENCODERS, TINY)
DENOISERS = (PLAIN, CROSS, *DITS)

_DIT_NOTES = (
    "the norms' epsilon is 1e-6 and the timestep's sinusoids are those that the published "
    "transformers were trained with; diffusers has others",
    "the second half of the output, a variance, is stored and not used: samplers take eps alone",
)


@dataclass(frozen=True, eq=False)
class FoundDenoiser:
    """A denoiser, and the class embedding table that its weights hold.

    Attributes:
        part: the denoiser.
        classes: the table (classes, width), if there is one.
        null_class: whether the last row of the table stands for no class; None: unknown.
        notes: human-readable.
    """

    part: ImportedPart
    classes: Tensor | None = None
    null_class: bool | None = None
    notes: tuple[str, ...] = ()


def read_first_stage_config(
    folder: Path, scale_factor: float | None = None
) -> tuple[str, dict[str, Any]]:
    """Return the id and the fields of the first stage in a folder.

    Args:
        folder: of the first stage.
        scale_factor: of the latents; None: the folder's own.

    Raises:
        ModelFileError: the folder holds no configuration.
        InvalidConfigError: the class, or a parameter, is not supported.
    """
    config = read_class_config(folder, FIRST_STAGES)
    with name_file(folder / CONFIG):
        if config["_class_name"] == TINY:
            id_, fields = "latelier/tiny", tiny_config_from_diffusers(config)
        else:
            id_ = _AUTOENCODERS[config["_class_name"]]
            fields = autoencoder_config_from_diffusers(config)
    return id_, fields if scale_factor is None else {**fields, "scale_factor": scale_factor}


def first_stage_part(
    source: ImportSource, folder: Path, scale_factor: float | None = None
) -> ImportedPart:
    """Return the first stage in a folder; see `read_first_stage_config`.

    Raises:
        ModelFileError: its weights are missing or damaged.
        InvalidConfigError: the class, or a parameter, is not supported.
    """
    id_, fields = read_first_stage_config(folder, scale_factor)
    tensors = read_component_weights(source, folder)
    if "ch_mult" in fields:
        tensors = autoencoder_from_diffusers(tensors, len(fields["ch_mult"]))
    return ImportedPart(id_, fields, tensors)


def read_denoiser_config(folder: Path, spatial: Mapping[str, int]) -> dict[str, Any]:
    """Return the fields of the denoiser in a folder.

    Args:
        folder: of the denoiser.
        spatial: name -> channels of the spatial conditions, the last of its input channels.

    Raises:
        ModelFileError: the folder holds no configuration.
        InvalidConfigError: the class, or a parameter, is not supported.
    """
    config = read_class_config(folder, DENOISERS)
    with name_file(folder / CONFIG):
        if config["_class_name"] in DITS:
            return dit_config_from_diffusers(config)
        return unet_config_from_diffusers(config, "text", spatial)


def denoiser_part(source: ImportSource, folder: Path, spatial: Mapping[str, int]) -> FoundDenoiser:
    """Return the denoiser in a folder; see `read_denoiser_config`.

    Raises:
        ModelFileError: its weights are missing or damaged.
        InvalidConfigError: the class, or a parameter, is not supported.
    """
    fields = read_denoiser_config(folder, spatial)
    tensors = read_component_weights(source, folder)
    config = read_class_config(folder, DENOISERS)
    if config["_class_name"] in DITS:
        return _read_dit(config, fields, tensors)
    classes = tensors.pop(UNET_TABLE, None) if fields.get("native_vectors") else None
    state = unet_from_diffusers(validate(UNetConfig, fields, f"{folder}"), tensors)
    return FoundDenoiser(ImportedPart("latelier/unet", fields, state), classes)


def _read_dit(
    config: Mapping[str, Any], fields: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> FoundDenoiser:
    state = dit_from_diffusers(tensors)
    classes = state.pop(TABLE, None)
    num_classes = config.get("num_embeds_ada_norm")
    has_null = None
    if classes is not None and num_classes is not None:
        has_null = len(classes) == num_classes + 1
    return FoundDenoiser(
        ImportedPart("latelier/transformer", fields, state),
        classes,
        has_null,
        _DIT_NOTES if fields["learn_sigma"] else _DIT_NOTES[:1],
    )
