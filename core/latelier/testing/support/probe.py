"""Which imports load torch; each is tried in a new process."""

import os
import subprocess
import sys
from functools import cache

TIMEOUT = 120
"""Seconds; a machine may be busy."""

_MODULES = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print("torch" in sys.modules)
"""
_REGISTRATION = """
import sys
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.discovery import discover
from latelier.kernel.trust.policy import Policy

own = [candidate for candidate in discover() if candidate.distribution == sys.argv[1]]
Atelier(policy=Policy(), candidates=own)
print("torch" in sys.modules if own else None)
"""


def imports_torch(*modules: str) -> bool | None:
    """Return whether these modules import torch.

    Raises:
        RuntimeError: a module cannot be imported; with its standard error.
    """
    return _ask_process(_MODULES, *modules)


def registering_imports_torch(distribution: str) -> bool | None:
    """Return whether a distribution's entry points import torch; None where it has none.

    Raises:
        RuntimeError: the process fails; with its standard error.
    """
    return _ask_process(_REGISTRATION, distribution)


@cache
def _ask_process(code: str, *arguments: str) -> bool | None:
    path = os.pathsep.join(folder for folder in sys.path if folder)
    done = subprocess.run(  # noqa: S603  # the code is above, the rest names modules
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    if done.returncode != 0:
        raise RuntimeError(f"importing {', '.join(arguments)} failed: {done.stderr.strip()}")
    return {"True": True, "False": False, "None": None}[done.stdout.split()[-1]]
