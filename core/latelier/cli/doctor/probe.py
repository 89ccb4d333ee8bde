"""Load one plugin and write a report; the doctor runs this module in a process of its own."""

import json
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latelier.cli.doctor.factories import check_factory
from latelier.contracts.deprecation import PluginDeprecationWarning
from latelier.contracts.errors import DataError, LatelierError, PluginError
from latelier.kernel.loader import PluginLoader
from latelier.kernel.spec import ComponentSpec, locate, resolve
from latelier.kernel.trust.discovery import discover_all
from latelier.kernel.trust.entry_points import Candidate, is_command
from latelier.kernel.trust.policy import Policy


def probe(id_: str) -> dict[str, Any]:
    """Load the plugin "distribution:entry"; return state, cause, fix, seconds and components."""
    specs: list[ComponentSpec] = []
    candidate = next(each for each in discover_all() if each.id == id_)
    if is_command(candidate.entry_point.group):
        return _probe_command(candidate)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluginDeprecationWarning)
        report = PluginLoader(specs.extend).load(candidate, Policy())
        verdict: tuple[str, str, str] = (report.state, report.cause, report.fix)
        if report.state == "ok":
            verdict = _check_components(specs) or verdict
    deprecations = [w.message for w in caught if isinstance(w.message, PluginDeprecationWarning)]
    if verdict[0] == "ok" and deprecations:
        fix = f"pip install --upgrade {candidate.distribution}, or ask its author for an update"
        verdict = ("deprecated", "; ".join(map(str, deprecations)), fix)
    found = dict(zip(("state", "cause", "fix"), verdict))
    return {**found, "seconds": report.seconds, "components": report.components}


def _probe_command(candidate: Candidate) -> dict[str, Any]:
    """Import a command and return what `probe` does."""
    start = time.perf_counter()
    state, cause, fix = "ok", "", ""
    if not callable(candidate.entry_point.load()):
        state, cause = "component_error", f"'{candidate.entry_point.value}' is not a function"
        fix = f"report it to {candidate.distribution}"
    elif "torch" in sys.modules:
        state, cause = "slow_import", "imports torch when it is loaded"
        fix = "its author should import torch inside of the function"
    seconds = time.perf_counter() - start
    return {"state": state, "cause": cause, "fix": fix, "seconds": seconds, "components": []}


def check_folder(spec: ComponentSpec) -> None:
    """Check the folder of a component that is data: an adapter, or a database of pictures.

    Raises:
        PluginError: the folder does not exist.
        ModelFileError: a file of an adapter is missing or differs from its hash.
        DataError: a picture or the words of a database are damaged.
    """
    if spec.folder is None:
        return
    folder = locate(spec.folder, spec.id)
    if spec.kind == "adapter":
        _check_adapter(folder)
    else:
        _check_database(folder)


def _check_adapter(folder: Path) -> None:
    from latelier.checkpoints.io.verification import verify
    from latelier.checkpoints.manifests import read_adapter

    for part in read_adapter(folder).parts().values():
        for file in part.files():
            verify(file.within(folder), file.sha256)


def _check_database(folder: Path) -> None:
    from latelier.databases.folder import FolderDatabase

    damaged = FolderDatabase(folder).damaged
    if damaged:
        raise DataError("; ".join(damaged))


def _check_components(specs: Sequence[ComponentSpec]) -> tuple[str, str, str] | None:
    """Return state, cause and fix of the first component that breaks its registration."""
    if "torch" in sys.modules:
        fix = "its author should import torch only in the modules that `factory` names"
        return "slow_import", "imports torch when it is loaded", fix
    for spec in specs:
        try:
            check_factory(spec)
            check_folder(spec)
        except LatelierError as error:
            return "component_error", str(error), f"report it to {spec.distribution}"
        for text in filter(None, (spec.config, spec.input)):
            try:
                resolve(text, spec.id)
            except PluginError as error:
                return "component_error", str(error), f"report it to {spec.distribution}"
            if "torch" in sys.modules:
                fix = "its author should keep configurations and inputs free of torch"
                return "slow_import", f"'{text}' imports torch", fix
    return None


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(probe(sys.argv[1])), encoding="utf-8")
