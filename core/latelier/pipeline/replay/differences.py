"""The plugins that take part in a picture: written into it, and compared when it is made again.

latelier itself is none of them: its version stands beside, and its weights have hashes.
"""

from collections.abc import Iterator, Mapping

from latelier.kernel.atelier import Atelier
from latelier.pipeline.provenance import plugin_identity, plugin_version
from latelier.pipeline.replay.record import PluginRecord


def absent(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield what would bring back each plugin that made a part of a picture and is not here."""
    for name, then in plugins.items():
        if then.parts and plugin_version(name, atelier) is None:
            yield _said(name, then, atelier)


def changed(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield what differs of each plugin that made a part of a picture, and is here."""
    for name, then in plugins.items():
        if then.parts and plugin_version(name, atelier) is not None:
            yield from _differences(name, then, atelier)


def changed_listeners(plugins: Mapping[str, PluginRecord], atelier: Atelier) -> Iterator[str]:
    """Yield what differs of each plugin that was only told of a run, and changed nothing of it."""
    for name, then in plugins.items():
        if not then.parts and plugin_version(name, atelier) is None:
            yield f"{_said(name, then, atelier)}; it was told of the run, and made no part of it"
        elif not then.parts:
            yield from _differences(name, then, atelier)


def _differences(name: str, then: PluginRecord, atelier: Atelier) -> Iterator[str]:
    now = plugin_identity(name, atelier)
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


def _short(sha256: str | None) -> str:
    return f"{sha256[:12]}..." if sha256 else "of no files"
