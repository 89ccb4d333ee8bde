"""`latelier plugins lock`: record the plugins that may load and the hashes of their files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latelier.cli.support.output import AsJson, show_columns, show_json

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from latelier.kernel.trust.fingerprint import Fingerprints
    from latelier.kernel.trust.policy import Policy


def lock(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="By default the lock in force, or latelier.lock in the current folder.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Record which plugins may load, with hashes of their files.

    LATELIER_LOCK, or `lock` in [plugins] of config.toml, puts a lock in force. A plugin that is
    not in it, or differs from it, is then refused before any part of it is imported.
    """
    from latelier.cli.support.destinations import unwritable
    from latelier.kernel.trust.config_file import read_policy
    from latelier.kernel.trust.lock import fingerprint_all, read_lock, write_lock
    from latelier.kernel.trust.policy import LOCK_VARIABLE

    policy = read_policy()
    path = output or policy.lock or Path("latelier.lock")
    if path.exists():
        read_lock(path)  # a file that is not a lock is an error, and stays as it is
    plugins = fingerprint_all(_admitted_distributions(policy))
    try:
        write_lock(path, plugins)
    except OSError as error:
        raise unwritable(path, error) from None
    _show(plugins, as_json)
    if policy.lock is None or policy.lock.resolve() != path.resolve():
        typer.echo(f"{LOCK_VARIABLE}={path.resolve()} puts it in force", err=True)


def _admitted_distributions(policy: "Policy") -> "dict[str, Distribution]":
    """Return the distributions of third-party plugins that a policy admits, by name."""
    from latelier.kernel.trust.admission import admit
    from latelier.kernel.trust.discovery import discover_all
    from latelier.kernel.trust.entry_points import BUILT_IN

    return {
        each.distribution: each.entry_point.dist
        for each in discover_all()
        if each.distribution != BUILT_IN and not admit(each, policy) and each.entry_point.dist
    }


def _show(plugins: "Fingerprints", as_json: bool) -> None:
    keys = ("distribution", "version", "files", "editable", "sha256")
    rows = [
        (name, each.version, len(each.files), each.editable, each.sha256)
        for name, each in plugins.items()
    ]
    if as_json:
        show_json([dict(zip(keys, row)) for row in rows])
        return
    words = {True: "yes", False: "no"}
    heads = [key.upper() for key in keys]
    show_columns(heads, [(*row[:3], words[row[3]], row[4]) for row in rows])
