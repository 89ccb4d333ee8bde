"""Reads the tiny autoencoders of the TAESD family as they are published: files without a YAML."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from latelier.checkpoints.io.shapes import Shapes
from latelier.checkpoints.io.weights import tensor_shapes
from latelier.contracts.errors import ModelFileError
from latelier.contracts.importing import Imported, ImportedPart, ImportSource

_OTHER = {"encoder": "decoder", "decoder": "encoder"}
_NAME = re.compile(
    r"(?:(?:taesd_)?(?P<half>encoder|decoder)\.(?P<layers>layers\.)?)?"
    r"(?P<index>\d{1,4})\.(?P<rest>(?:(?:conv|pool)\.\d+\.)?(?:weight|bias))"
)
_CONVOLUTION = re.compile(r"\w+\.layers\.\d+\.weight")
_FACTORS = frozenset({"vae_scale", "vae_shift"})
"""Tensors of ComfyUI, whose latents are not normalized. Those of a pipeline are, as here."""

_KNOWN = {(4, False): "taesd or taesdxl", (16, False): "taesd3 or taef1", (32, True): "taef2"}
"""Channels of the latents, and whether there are group norms -> what it is."""


class TAESD:
    """The tiny autoencoders taesd, taesdxl, taesd3, taef1 and taef2.

    Encoder and decoder are in one file, or in two of a folder whose names differ in these words.
    """

    options: frozenset[str] = frozenset()

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether there is no YAML, and the file has the layers of such a network alone."""
        return source.config is None and is_taesd(source.shapes())

    def read(self, source: ImportSource, /) -> Imported:
        """Return the first stage.

        Raises:
            ModelFileError: the other half is missing, or the layers are those of another network.
        """
        state = _rename(source.tensors())
        halves = {name.partition(".")[0] for name in state}
        if len(halves) == 1:
            state |= _read_other(source, *halves)
        config = _read_config(source.path, tensor_shapes(state))
        channels = config["z_channels"]
        name = _KNOWN.get((channels, config["use_midblock_gn"]), "one of no known name")
        return Imported(
            {"first_stage": ImportedPart("latelier/tiny", config, state)},
            notes=(f"a tiny first stage alone, for latents of {channels} channels: {name}",),
        )


def is_taesd(shapes: Shapes) -> bool:
    """Return whether shapes are those of an encoder, a decoder, or both."""
    names = _our_names(shapes)
    has_blocks = any(name.endswith(".conv.4.weight") for name in names)
    return has_blocks and all(
        len(shapes[theirs]) == 4 for theirs, ours in names.items() if _CONVOLUTION.fullmatch(ours)
    )


def _our_names(names: Collection[str]) -> dict[str, str]:
    """Return name in a file -> our name; none if one of the names is of no such layer.

    Index 0 of a decoder is its clamp, but for files in the layout of diffusers.
    """
    single = "encoder" if any(name.startswith("0.") for name in names) else "decoder"
    found = {}
    for name in set(names) - _FACTORS:
        match = _NAME.fullmatch(name)
        if match is None:
            return {}
        half = match["half"] or single
        has_clamp = half == "decoder" and not match["layers"]
        found[name] = f"{half}.layers.{int(match['index']) - has_clamp}.{match['rest']}"
    return found


def _rename(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {ours: tensors[theirs] for theirs, ours in _our_names(tensors).items()}


def _read_other(source: ImportSource, half: str) -> dict[str, Tensor]:
    """Return the tensors of the other half, whose file lies beside that of `half`."""
    path, other = source.path, _OTHER[half]
    if half not in path.name:
        raise ModelFileError(
            f"{path}: holds the {half} of a tiny autoencoder alone. Name its two files alike, such "
            "as taesd_encoder.pth and taesd_decoder.pth, and import one of them"
        )
    found = path.with_name(path.name.replace(half, other))
    if not found.is_file():
        raise ModelFileError(
            f"{path}: holds the {half} of a tiny autoencoder alone; expected its {other} in {found}"
        )
    tensors = _rename(source.tensors_of(found))
    if {name.partition(".")[0] for name in tensors} != {other}:
        raise ModelFileError(f"{found}: expected the {other} of a tiny autoencoder")
    return tensors


def _read_config(path: Path, shapes: Shapes) -> dict[str, Any]:
    """Return the fields of the first stage whose tensors have these shapes, under our names."""
    fields: dict[str, Any] = {}
    convolutions = {}
    for half in _OTHER:
        convolutions[half], blocks = _read_layers(half, shapes)
        widths = {shape[0] for shape in convolutions[half][:-1]}
        if len(widths) != 1:
            raise ModelFileError(
                f"{path}: the {half} has layers of {sorted(widths)} channels; expected one width, "
                "as in taesd and taef2. taesana and taeqi2_1 have several, and cannot be imported"
            )
        fields[f"{half}_block_out_channels"] = [*widths] * len(blocks)
        fields[f"num_{half}_blocks"] = blocks
    return fields | {
        "in_channels": convolutions["encoder"][0][1],
        "z_channels": convolutions["encoder"][-1][0],
        "out_channels": convolutions["decoder"][-1][0],
        "use_midblock_gn": any(".pool." in name for name in shapes),
    }


def _read_layers(half: str, shapes: Shapes) -> tuple[list[tuple[int, ...]], list[int]]:
    """Return the shape of each convolution in order, and the number of blocks after each."""
    prefix = f"{half}.layers."
    convolutions, blocks = [], [0]
    for index in sorted({int(name.split(".")[2]) for name in shapes if name.startswith(prefix)}):
        if (name := f"{prefix}{index}.weight") in shapes:
            convolutions.append(shapes[name])
            blocks.append(0)
        else:
            blocks[-1] += 1
    return convolutions, blocks[1:-1]
