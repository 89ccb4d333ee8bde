"""Components of diffusers as ours: first stages, UNets, text encoders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.diffusers.autoencoder_layout import autoencoder_from_diffusers
from latelier.checkpoints.importers.diffusers.first_stage_config import (
    KL,
    TINY,
    VQ,
    autoencoder_config_from_diffusers,
    tiny_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.folder import (
    CONFIG,
    read_json_object,
    read_weights_of,
)
from latelier.checkpoints.importers.diffusers.unet_config import (
    CROSS,
    PLAIN,
    unet_config_from_diffusers,
)
from latelier.checkpoints.importers.diffusers.unet_layout import unet_from_diffusers
from latelier.denoisers.unet_config import UNetConfig
from latelier.kernel.contracts import ImportedPart, ImportSource
from latelier.kernel.errors import InvalidConfigError, suggestion
from latelier.kernel.frozen import validated

AUTOENCODERS = {KL: "latelier/autoencoder_kl", VQ: "latelier/autoencoder_vq"}
FIRST_STAGES = (*AUTOENCODERS, TINY)
UNETS = (PLAIN, CROSS)


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


def unet_part(
    source: ImportSource, folder: Path, spatial: Mapping[str, int], stream: str = "text"
) -> ImportedPart:
    """Return the UNet in a folder.

    Raises:
        ModelFileError: its weights are missing or damaged.
        InvalidConfigError: it is of a class, or asks for something, that there is not here.
    """
    fields = unet_config_from_diffusers(class_config(folder, UNETS), stream, spatial)
    config = validated(UNetConfig, fields, f"{folder}")
    return ImportedPart(
        "latelier/unet", fields, unet_from_diffusers(config, read_weights_of(source, folder))
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
