"""Reading the fields of A1111's API, and refusing those that this server cannot honour."""

from collections.abc import Mapping
from typing import Any

from latelier_server.errors import field_mistake, mistake, wrong_type

_WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "subseed_strength": (0,),
    "seed_resize_from_h": (0, -1),
    "seed_resize_from_w": (0, -1),
    "restore_faces": (False,),
    "tiling": (False,),
    "styles": ([],),
    "firstphase_width": (0,),
    "firstphase_height": (0,),
    "refiner_checkpoint": ("", "None"),
    "resize_mode": (0,),
    "inpainting_fill": (0, 1),
    "initial_noise_multiplier": (1,),
    "infotext": ("",),
}
"""Fields of features that this server does not have -> values with which a request needs none."""

_SETTINGS: dict[str, tuple[Any, ...]] = {
    "sd_vae": ("", "None", "Automatic"),
    "CLIP_stop_at_last_layers": (0, 1),
}
"""Settings that a request may override with what this server does anyway."""


def read_field(fields: Mapping[str, Any], name: str, kind: Any, default: Any) -> Any:
    """Return the value of a field, or the default if it is missing or null.

    Raises:
        ServerError: the value is of another type.
    """
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        value = int(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, kind):
        raise wrong_type(name, value)
    return value


def refuse_unsupported(fields: Mapping[str, Any]) -> None:
    """Refuse a request for something that would be left out of its pictures.

    Raises:
        ServerError: names the field.
    """
    script = read_field(fields, "script_name", str, "")
    if script:
        raise mistake(f"Script '{script[:80]}' not found", "script_name")
    for name, value in read_field(fields, "alwayson_scripts", dict, {}).items():
        arguments = value.get("args") if isinstance(value, dict) else value
        if arguments not in (None, [], [False]):
            raise mistake(f"always on script {name[:80]} not found", "alwayson_scripts")
    _refuse_values(fields, _WITHOUT_EFFECT)
    _refuse_values(read_field(fields, "override_settings", dict, {}), _SETTINGS)


def _refuse_values(given: Mapping[str, Any], known: Mapping[str, tuple[Any, ...]]) -> None:
    for name, neutral in known.items():
        value = given.get(name)
        if value is not None and value not in neutral:
            raise field_mistake(name, f"{value!r:.80} is not supported here; leave it out")
