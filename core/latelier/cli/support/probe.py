"""Run by the doctor in a process of its own: loads one plugin and writes down what came of it."""

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latelier.cli.support.factories import check_factory
from latelier.contracts.errors import LatelierError, PluginError
from latelier.kernel.deprecation import PluginDeprecationWarning
from latelier.kernel.discovery import discover
from latelier.kernel.loader import PluginLoader
from latelier.kernel.spec import ComponentSpec, locate, resolve
from latelier.kernel.trust.policy import Policy


def probe(id_: str) -> dict[str, Any]:
    """Return state, cause, fix, seconds and components of the plugin 'distribution:entry'."""
    specs: list[ComponentSpec] = []
    candidate = next(each for each in discover() if each.id == id_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PluginDeprecationWarning)
        report = PluginLoader(specs.extend).load(candidate, Policy())
        judged: tuple[str, str, str] = (report.state, report.cause, report.fix)
        if report.state == "ok":
            judged = _broken_promise(specs) or judged
    said = [w.message for w in caught if isinstance(w.message, PluginDeprecationWarning)]
    if judged[0] == "ok" and said:
        fix = f"pip install --upgrade {candidate.distribution}, or tell its author"
        judged = ("deprecated", "; ".join(map(str, said)), fix)
    found = dict(zip(("state", "cause", "fix"), judged))
    return {**found, "seconds": report.seconds, "components": report.components}


def _broken_promise(specs: Sequence[ComponentSpec]) -> tuple[str, str, str] | None:
    """Return state, cause and fix where a loaded plugin is not what it promises."""
    if "torch" in sys.modules:
        fix = "its author should import torch only in the modules that `factory` names"
        return "slow_import", "imports torch when it is loaded", fix
    for spec in specs:
        try:
            check_factory(spec)
            _check_data(spec)
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


def _check_data(spec: ComponentSpec) -> None:
    """Check the folder of an adapter: that it is there, and that its files are those it names.

    Raises:
        PluginError, ModelFileError: it is not, or they are not.
    """
    if spec.folder is None:
        return
    from latelier.checkpoints.io.verification import verify
    from latelier.checkpoints.manifests import read_adapter

    folder = locate(spec.folder, spec.id)
    for file in read_adapter(folder).files():
        verify(file.within(folder), file.sha256)


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(probe(sys.argv[1])), encoding="utf-8")
