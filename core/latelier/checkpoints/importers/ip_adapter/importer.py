"""Reads IP-Adapter: a finished UNet attends to the CLIP vector of a picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS, refuse_leftovers
from latelier.checkpoints.importers.ip_adapter.layout import (
    check_projection,
    in_file_order,
    is_ip_adapter,
    key_shapes,
    matrix,
    renames,
)
from latelier.checkpoints.io.json_files import read_json_object
from latelier.checkpoints.io.shapes import Shapes
from latelier.checkpoints.io.weights import meta_device
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.frozen import validate
from latelier.contracts.importing import Imported, ImportedPart, ImportSource
from latelier.denoisers.adapter import ATTENTION_ID
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.unet import UNet
from latelier.io.user_folders import expand_home

_MANIFEST = "latelier.json"
_NAME = "image_vector"


class IPAdapter:
    """Single files of IP-Adapter (Ye et al., arXiv:2308.06721) for UNets.

    The input is the vector that CLIP gives for a picture; it is computed elsewhere.

    Options: base, the folder of the model that it is for, if its blocks differ from those of Stable
    Diffusion 1 and 2; name, of the input; ignore_leftovers, unexpected tensors to ignore.
    """

    options = frozenset({"base", "name", IGNORE_LEFTOVERS})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether the file holds image_proj and ip_adapter alone."""
        return is_ip_adapter(source.shapes())

    def read(self, source: ImportSource, /) -> Imported:
        """Return the adapter and its conditioner.

        Raises:
            ModelFileError: the file is another kind of IP-Adapter, incomplete, or for another base.
            InvalidConfigError: an option is invalid.
        """
        shapes = source.shapes()
        check_projection(shapes)
        layers, base = _layers(shapes, source)
        names = renames(layers)
        ignore = source.options.get(IGNORE_LEFTOVERS, ())
        ignored = refuse_leftovers(f"{source.path}", shapes.keys() - names.keys(), ignore)
        key_width = key_shapes(shapes)[0][1]
        projected, width = matrix(shapes, "image_proj.proj.weight")
        tokens = projected // key_width
        config = {
            "width": width,
            "projection": {"width": key_width, "tokens": tokens},
            "layers": layers,
        }
        tensors = {
            names[name]: tensor for name, tensor in source.tensors().items() if name in names
        }
        vector = {"width": width, "max_vectors": 1}
        return Imported(
            {
                "adapter": ImportedPart(ATTENTION_ID, config, tensors),
                "conditioner": ImportedPart("latelier/embedding", vector),
            },
            inputs={_read_name(source.options): "conditioner"},
            notes=(
                f"IP-Adapter for {base}: {len(layers)} cross-attentions, tokens of {key_width}",
                f"its input is a vector of {width} numbers, projected to {tokens} tokens",
                *ignored,
            ),
        )


def _layers(shapes: Shapes, source: ImportSource) -> tuple[dict[str, int], str]:
    """Return layer -> width in the order of the file, and the model that has these layers."""
    widths = [width for width, _ in key_shapes(shapes)]
    if "base" in source.options:
        folder = expand_home(str(source.options["base"]))
        config, base = _read_unet_config(folder), f"{folder}"
    else:
        config, base = _stable_diffusion_config(widths[0]), "the blocks of Stable Diffusion"
    with meta_device():
        attentions = UNet(config).cross_attentions
    layers = {name: attentions[name] for name in in_file_order(attentions)}
    if list(layers.values()) != widths:
        is_named = "base" in source.options
        hint = "" if is_named else ". --option base=FOLDER names the model that it is for"
        raise ModelFileError(
            f"{source.path}: its cross-attentions have the widths {_format(widths)}, those of "
            f"{base} {_format(list(layers.values()))}{hint}"
        )
    return layers, base


def _read_unet_config(folder: Path) -> UNetConfig:
    """Return the configuration of a model's UNet."""
    denoiser: Any = read_json_object(folder / _MANIFEST).get("denoiser")
    if not isinstance(denoiser, dict) or denoiser.get("id") != "latelier/unet":
        raise InvalidConfigError(f"base: the denoiser of '{folder}' is not a UNet")
    values: dict[str, Any] = denoiser.get("config", {})
    return validate(UNetConfig, values, f"base: '{folder}'")


def _stable_diffusion_config(model_channels: int) -> UNetConfig:
    """Return a UNet with the blocks of versions 1 and 2; heads change no name or width."""
    return UNetConfig.model_validate(
        {
            "in_channels": 4,
            "out_channels": 4,
            "model_channels": model_channels,
            "channel_mult": (1, 2, 4, 4),
            "num_res_blocks": 2,
            "attention_resolutions": (4, 2, 1),
            "num_heads": 1,
            "num_groups": 1,
            "context_dim": 1,
            "streams": {"text": {"width": 1, "injection": "native"}},
        }
    )


def _read_name(options: Mapping[str, Any]) -> str:
    name = options.get("name", _NAME)
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidConfigError(f"name: expected letters, digits and underscores, got {name!r}")
    return name


def _format(widths: list[int]) -> str:
    return f"{', '.join(map(str, widths[:20]))}{' ...' if len(widths) > 20 else ''}"
