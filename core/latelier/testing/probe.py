"""What is imported when: each question is put to a process of its own."""

import os
import subprocess
import sys
from functools import cache

SECONDS = 120
"""How long a process may take; a machine may be busy."""

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

owned = [each for each in discover() if each.distribution == sys.argv[1]]
Atelier(policy=Policy(), candidates=owned)
print("torch" in sys.modules if owned else None)
"""


def torch_after_importing(*modules: str) -> bool | None:
    """Tell whether torch is imported by these modules.

    Raises:
        RuntimeError: they cannot be imported; with what they said.
    """
    return _answer(_MODULES, *modules)


def torch_after_registering(distribution: str) -> bool | None:
    """Tell whether torch is imported by a distribution's entry points; None where it has none.

    Raises:
        RuntimeError: the process fails; with what it said.
    """
    return _answer(_REGISTRATION, distribution)


@cache
def _answer(code: str, *arguments: str) -> bool | None:
    path = os.pathsep.join(each for each in sys.path if each)
    done = subprocess.run(  # noqa: S603  # the code is above, the rest names modules
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    if done.returncode != 0:
        raise RuntimeError(f"importing {', '.join(arguments)} failed: {done.stderr.strip()}")
    return {"True": True, "False": False, "None": None}[done.stdout.split()[-1]]
