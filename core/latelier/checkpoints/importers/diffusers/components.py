"""Components of diffusers as ours: first stages and denoisers."""

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
    read_json_object,
    read_weights_of,
)
from latelier.checkpoints.importers.diffusers.layouts.autoencoder import autoencoder_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.transformer import TABLE, dit_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.unet import (
    UNET_TABLE,
    unet_from_diffusers,
)
from latelier.contracts.errors import InvalidConfigError, suggestion
from latelier.contracts.frozen import validate
from latelier.contracts.importing import ImportedPart, ImportSource
from latelier.denoisers.configs import UNetConfig

AUTOENCODERS = {KL: "latelier/autoencoder_kl", VQ: "latelier/autoencoder_vq"}
FIRST_STAGES = (*AUTOENCODERS, TINY)
UNETS = (PLAIN, CROSS)
DENOISERS = (*UNETS, *DITS)

_DIT_NOTES = (
    "the norms' epsilon is 1e-6 and the timestep's sinusoids are those that the published "
    "transformers were trained with; diffusers has others",
    "the second half of the output, a variance, is stored and not used: samplers take eps alone",
)


@dataclass(frozen=True, eq=False)
class FoundDenoiser:
    """A denoiser and what was decided.

    classes: the table (classes, width) that its weights hold, if there is one. null_class: whether
    its last row stands for no class, where that is known.
    """

    part: ImportedPart
    classes: Tensor | None = None
    null_class: bool | None = None
    notes: tuple[str, ...] = ()


def first_stage_part(
    source: ImportSource, folder: Path, scale_factor: float | None = None
) -> ImportedPart:
    """Return the first stage in a folder; `scale_factor` stands in for its own.

    Raises:
        ModelFileError: its weights are missing or damaged.
        InvalidConfigError: it is of a class, or asks for something, that there is not here.
    """
    config = class_config(folder, FIRST_STAGES)
    tensors: Any = read_weights_of(source, folder)
    if config["_class_name"] == TINY:
        id_, fields = "latelier/tiny", tiny_config_from_diffusers(config)
    else:
        id_ = AUTOENCODERS[config["_class_name"]]
        fields = autoencoder_config_from_diffusers(config)
        tensors = autoencoder_from_diffusers(tensors, len(fields["ch_mult"]))
    if scale_factor is not None:
        fields["scale_factor"] = scale_factor
    return ImportedPart(id_, fields, tensors)


def denoiser_part(
    source: ImportSource, folder: Path, spatial: Mapping[str, int], stream: str = "text"
) -> FoundDenoiser:
    """Return the denoiser in a folder.

    Args:
        source: what the folder belongs to.
        folder: of the denoiser.
        spatial: name -> channels of the conditions among its input channels, the last of them.
        stream: name of the condition that it attends to, if it does.

    Raises:
        ModelFileError: its weights are missing or damaged.
        InvalidConfigError: it is of a class, or asks for something, that there is not here.
    """
    config = class_config(folder, DENOISERS)
    if config["_class_name"] in DITS:
        return _dit(source, folder, config)
    fields = unet_config_from_diffusers(config, stream, spatial)
    tensors = read_weights_of(source, folder)
    classes = tensors.pop(UNET_TABLE, None) if fields.get("native_vectors") else None
    ours = unet_from_diffusers(validate(UNetConfig, fields, f"{folder}"), tensors)
    return FoundDenoiser(ImportedPart("latelier/unet", fields, ours), classes)


def _dit(source: ImportSource, folder: Path, config: Mapping[str, Any]) -> FoundDenoiser:
    fields = dit_config_from_diffusers(config)
    tensors = dit_from_diffusers(read_weights_of(source, folder))
    classes = tensors.pop(TABLE, None)
    known = config.get("num_embeds_ada_norm")
    return FoundDenoiser(
        ImportedPart("latelier/transformer", fields, tensors),
        classes,
        None if classes is None or known is None else len(classes) == known + 1,
        _DIT_NOTES if fields["learn_sigma"] else _DIT_NOTES[:1],
    )


def class_config(folder: Path, known: tuple[str, ...]) -> dict[str, Any]:
    """Return the configuration in a component's folder, of one of the classes that are known.

    Raises:
        ModelFileError: there is none.
        InvalidConfigError: it is of another class.
    """
    config = read_json_object(folder / CONFIG)
    name = str(config.get("_class_name", ""))
    if name not in known:
        raise InvalidConfigError(
            f"{folder}: is of the class '{name}', which is not known here. "
            f"{suggestion(name, known)}"
        )
    return config
