"""The plugins that take part in a picture: written into it, and compared when it is made again.

latelier itself is none of them: its version stands beside, and its weights have hashes.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from latelier.kernel.announcer import Announcer
from latelier.kernel.atelier import Atelier
from latelier.kernel.policy import BUILT_IN
from latelier.pipeline.record import PluginRecord

if TYPE_CHECKING:
    from latelier.pipeline.pipeline import Pipeline

TOLD = (
    "latelier_pipeline_composed",
    "latelier_before_step",
    "latelier_after_step",
    "latelier_images_finished",
)
"""The hooks of a run that makes pictures."""


def participants(
    pipeline: "Pipeline", functions: Mapping[str, Any], announcer: Announcer
) -> dict[str, dict[str, Any]]:
    """Return, by distribution, the plugins that take part in a run, as JSON values.

    Args:
        pipeline: what ran.
        functions: sampler, schedule and guidance, each with its `id`.
        announcer: of the run.
    """
    parts: dict[str, list[str]] = {}
    places = {place: component.id for place, component in pipeline.components().items()}
    places |= {place: function["id"] for place, function in functions.items()}
    for name, adapter in pipeline.adapters.items():
        if adapter.registered is not None:
            places[f"adapters.{name}"] = adapter.registered.name
    for place, id_ in places.items():
        parts.setdefault(id_.partition("/")[0], []).append(place)
    told: dict[str, list[str]] = {}
    for hook in TOLD:
        for listener in announcer.listeners(hook):
            hooks = told.setdefault(listener.plugin_name.partition(":")[0], [])
            hooks.extend([hook] if hook not in hooks else [])
    return {
        name: {
            **_identity(name, pipeline.atelier),
            "parts": parts.get(name, []),
            "told": told.get(name, []),
        }
        for name in sorted({*parts, *told} - {BUILT_IN})
    }


def absent(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield what would bring back each plugin that made a part of a picture and is not here."""
    for name, then in plugins.items():
        if then.parts and _version(name, atelier) is None:
            yield _said(name, then, atelier)


def changed(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield what differs of each plugin that made a part of a picture, and is here."""
    for name, then in plugins.items():
        if then.parts and _version(name, atelier) is not None:
            yield from _differences(name, then, atelier)


def changed_listeners(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield what differs of each plugin that was only told of a run, and changed nothing of it."""
    for name, then in plugins.items():
        if not then.parts and _version(name, atelier) is None:
            yield f"{_said(name, then, atelier)}; it was told of the run, and made no part of it"
        elif not then.parts:
            yield from _differences(name, then, atelier)


def _differences(name: str, then: PluginRecord, atelier: Atelier) -> Iterator[str]:
    now = _identity(name, atelier)
    if then.version != now["version"]:
        wanted = f"pip install '{name}=={then.version}'"
        yield f"plugin '{name}' was of version {then.version}, is of {now['version']}: {wanted}"
    elif then.sha256 != now["sha256"]:
        yield (
            f"plugin '{name}' {then.version} has other files than when the picture was made "
            f"(SHA-256 {_short(then.sha256)}, now {_short(now['sha256'])})"
        )


def _said(name: str, then: PluginRecord, atelier: Atelier) -> str:
    for report in atelier.plugins:
        if report.distribution == name:
            return str(report)
    places = ", ".join(then.parts or then.told)
    wanted = f"pip install '{name}=={then.version}'"
    return f"plugin '{name}' {then.version} ({places}) is not installed: {wanted}"


def _version(name: str, atelier: Atelier) -> str | None:
    """Return the version of a plugin that loaded."""
    loaded = [each for each in atelier.plugins if each.state == "ok"]
    return next((each.version for each in loaded if each.distribution == name), None)


def _identity(name: str, atelier: Atelier) -> dict[str, Any]:
    files = atelier.fingerprint(name)
    return {
        "version": _version(name, atelier),
        "sha256": files.sha256 if files else None,
        "editable": files.editable if files else False,
    }


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 else "of no files"
