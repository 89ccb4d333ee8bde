"""What differs between the plugins of a picture and those that are here."""

from collections.abc import Iterator, Mapping

from latelier.kernel.atelier import Atelier
from latelier.pipeline.provenance import plugin_identity, plugin_version
from latelier.pipeline.replay.record import PluginRecord


def missing_plugins(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield how to install each plugin that made a part of a picture and is not loaded."""
    for name, then in plugins.items():
        if then.parts and plugin_version(name, atelier) is None:
            yield _describe_missing(name, then, atelier)


def changed_plugins(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield the difference of each plugin that made a part of a picture and is loaded."""
    for name, then in plugins.items():
        if then.parts and plugin_version(name, atelier) is not None:
            yield from _differences(name, then, atelier)


def changed_observers(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield the difference of each plugin that only observed a run."""
    for name, then in plugins.items():
        if not then.parts and plugin_version(name, atelier) is None:
            yield f"{_describe_missing(name, then, atelier)}; it only observed the run"
        elif not then.parts:
            yield from _differences(name, then, atelier)


def _differences(name: str, then: PluginRecord, atelier: Atelier) -> Iterator[str]:
    now = plugin_identity(name, atelier)
    if then.version != now["version"]:
        fix = f"pip install '{name}=={then.version}'"
        yield f"plugin '{name}' was version {then.version}, is {now['version']}: {fix}"
    elif then.sha256 != now["sha256"]:
        yield (
            f"plugin '{name}' {then.version} has other files than when the picture was made "
            f"(SHA-256 {_short(then.sha256)}, now {_short(now['sha256'])})"
        )


def _describe_missing(name: str, then: PluginRecord, atelier: Atelier) -> str:
    for report in atelier.plugins:
        if report.distribution == name:
            return str(report)
    places = ", ".join(then.parts or then.hooks)
    fix = f"pip install '{name}=={then.version}'"
    return f"plugin '{name}' {then.version} ({places}) is not installed: {fix}"


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 else "of no files"
