"""Writing first stages and UNets as diffusers loads them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.component import Component
from latelier.checkpoints.importers.diffusers.configs.first_stage import (
    autoencoder_config_to_diffusers,
    tiny_config_to_diffusers,
)
from latelier.checkpoints.importers.diffusers.configs.unet import unet_config_to_diffusers
from latelier.checkpoints.importers.diffusers.folder import write_component
from latelier.checkpoints.importers.diffusers.layouts.autoencoder import autoencoder_to_diffusers
from latelier.checkpoints.importers.diffusers.layouts.unet import UNET_TABLE, unet_to_diffusers
from latelier.contracts.errors import CompatibilityError
from latelier.first_stages.conditional_decoder import PREFIX


def convert_component(
    component: Component, sample_size: int, classes: Tensor | None = None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the config.json and the state dict of a component.

    Args:
        component: a first stage or a UNet.
        sample_size: side of the latents, a field of a UNet's configuration.
        classes: the table (classes, width) that diffusers keeps inside the UNet, if there is one.

    Raises:
        CompatibilityError: diffusers has no such component.
    """
    config: Any = component.config
    tensors: Mapping[str, Tensor] = component.stored.state_dict()
    if component.id == "latelier/unet":
        rows = None if classes is None else len(classes)
        table = {} if classes is None else {UNET_TABLE: classes}
        fields = unet_config_to_diffusers(config, sample_size, rows)
        return fields, {**unet_to_diffusers(config, tensors), **table}
    if component.id in ("latelier/autoencoder_kl", "latelier/autoencoder_vq"):
        levels = len(config.ch_mult)
        own = {name: each for name, each in tensors.items() if not name.startswith(PREFIX)}
        return autoencoder_config_to_diffusers(config), autoencoder_to_diffusers(own, levels)
    if component.id == "latelier/tiny":
        return tiny_config_to_diffusers(config), dict(tensors)
    if component.id == "latelier/transformer":
        raise CompatibilityError(
            "the denoiser 'latelier/transformer' cannot be exported: diffusers embeds the timestep "
            "with other sinusoids than the published models, and would make other pictures"
        )
    raise CompatibilityError(
        f"diffusers has no equivalent of the {component.kind} '{component.id}'"
    )


def export_component(
    component: Component, folder: Path, sample_size: int, classes: Tensor | None = None
) -> str:
    """Write a component to its own folder; return its class in diffusers.

    Raises:
        CompatibilityError: diffusers has no such component.
    """
    config, tensors = convert_component(component, sample_size, classes)
    write_component(folder, config, tensors)
    return str(config["_class_name"])
