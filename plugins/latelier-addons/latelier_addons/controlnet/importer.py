"""Reads published ControlNets."""

from collections.abc import Collection, Mapping
from typing import Any

from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS
from latelier.checkpoints.importers.parameters import require_bool
from latelier.contracts.errors import InvalidConfigError, ModelFileError
from latelier.contracts.frozen import validate
from latelier.contracts.importing import Imported, ImportedPart, ImportSource
from latelier.contracts.messages import suggestion

from latelier_addons.controlnet.config import ControlNetConfig
from latelier_addons.controlnet.layout import is_controlnet, rename, select_own
from latelier_addons.controlnet.shapes import config_from_shapes
from latelier_addons.families import name_family
from latelier_addons.published import is_of_class, read_name, read_published_config, read_tensors

CONTROLNET = "latelier-addons/controlnet"
"""Id of the kind of adapter."""

CONTROL_TYPES = {
    **dict.fromkeys(("openpose",), 0),
    **dict.fromkeys(("depth",), 1),
    **dict.fromkeys(("scribble", "hed", "pidi", "ted"), 2),
    **dict.fromkeys(("canny", "lineart", "anime_lineart", "mlsd"), 3),
    **dict.fromkeys(("normal",), 4),
    **dict.fromkeys(("segment",), 5),
    **dict.fromkeys(("tile", "blur"), 6),
    **dict.fromkeys(("inpaint", "repaint"), 7),
}
"""Name of a control type -> its number in the published unions, which have 6 or 8."""

_CLASSES = ("ControlNetModel", "ControlNetUnionModel")


class ControlNetImporter:
    """ControlNets for UNets (Zhang et al., arXiv:2302.05543), original or of diffusers.

    Options: name, of the input, otherwise that of the file; guess, whether it is used in guess
    mode; global_pooling, whether residuals are averaged, as shuffle needs; order, rgb or bgr; type,
    the control type of a union, a name or a number; ignore_leftovers, unexpected tensors to ignore.
    """

    options = frozenset({"name", "guess", "global_pooling", "order", "type", IGNORE_LEFTOVERS})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether the source has the layers for a hint and an encoder."""
        return is_of_class(source, _CLASSES) or is_controlnet(source.shapes())

    def read(self, source: ImportSource, /) -> Imported:
        """Return the adapter and its conditioner.

        Raises:
            ModelFileError: the file is incomplete, or of an unsupported kind.
            InvalidConfigError: an option is invalid.
        """
        tensors = read_tensors(source)
        _refuse_kin(source, tensors)
        names = rename(tensors)
        own = select_own(tensors)
        state = {names[name]: tensors[name] for name in own}
        published = read_published_config(source, _CLASSES)
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        guess = require_bool("guess", source.options.get("guess", False))
        try:
            fields = config_from_shapes(shapes, published) | _read_options(source, published)
        except ModelFileError as error:
            raise ModelFileError(f"{source.path}: {error}") from None
        notes = []
        if len(own) < len(tensors):
            notes.append("the model that the file holds too is left out")
        if "union" not in fields and "type" in source.options:
            raise InvalidConfigError(
                f"{source.path}: type: this ControlNet is no union and has one control type; "
                "leave the option out"
            )
        if "union" in fields:
            fields["union"]["type"] = _read_type(source, fields["union"]["types"])
            notes.append(f"its hints are of control type {fields['union']['type']}")
        config = validate(ControlNetConfig, fields, f"{source.path}")
        if guess:
            fields["block_scale"] = config.guess_scale
            notes.append("it is used in guess mode")
        hint = {"patch": config.hint_patch, "absence": "guided" if guess else "trained"}
        return Imported(
            {
                "adapter": ImportedPart(CONTROLNET, fields, state),
                "conditioner": ImportedPart("latelier/hint", hint),
            },
            inputs={read_name(source): "conditioner"},
            notes=(f"ControlNet for {name_family(config.encoder)}", *notes, *_describe(config)),
        )


def _refuse_kin(source: ImportSource, names: Collection[str]) -> None:
    """Check that the file is not of a kin of ControlNet.

    Raises:
        ModelFileError: it is stored as differences to another model.
    """
    kin = {
        "lora_controlnet": "a ControlLoRA, low-rank changes of its model's encoder",
        "difference": "the difference of a ControlNet to its model's encoder",
    }
    for name, what in kin.items():
        if name in names:
            raise ModelFileError(
                f"{source.path}: is {what}, which cannot be imported; look for the whole ControlNet"
            )


def _read_options(source: ImportSource, published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of options, and where there are none of the published configuration."""
    order = published.get("controlnet_conditioning_channel_order", "rgb")
    pooling = published.get("global_pool_conditions", "shuffle" in source.path.stem)
    return {
        "hint_order": source.options.get("order", order),
        "global_pooling": require_bool(
            "global_pooling", source.options.get("global_pooling", pooling)
        ),
    }


def _read_type(source: ImportSource, types: int) -> int:
    """Return the number of the control type of a union.

    Raises:
        InvalidConfigError: it is missing or unknown.
    """
    known = {name: number for name, number in CONTROL_TYPES.items() if number < types}
    value = source.options.get("type")
    if value is None:
        raise InvalidConfigError(
            f"{source.path}: is a union of {types} control types; choose one with --option "
            f"type=NAME. Known: {', '.join(known)}"
        )
    if value in known:
        return known[value]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < types:
        return value
    raise InvalidConfigError(
        f"type: unknown control type {value!r}. {suggestion(f'{value}', known)}"
    )


def _describe(config: ControlNetConfig) -> list[str]:
    """Return notes on what a person may want to have otherwise."""
    notes = {
        "its residuals are averaged over the picture (global_pooling)": config.global_pooling,
        "its hints are read as bgr": config.hint_order == "bgr",
    }
    return [note for note, applies in notes.items() if applies]
