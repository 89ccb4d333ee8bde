"""Commands that are measured, or that measure, in a process of their own."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.harness.case import BenchmarkError

ROOT = Path(__file__).parents[2]


def call_benchmarks(*arguments: str) -> str:
    """Run `python -m benchmarks` in a new process, and return the last line of its output.

    Raises:
        BenchmarkError: it fails.
    """
    lines = run_python(["-m", "benchmarks", *arguments]).splitlines()
    return lines[-1] if lines else ""


def run_python(arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run Python in a new process, in the root of the repository, and return its output.

    Raises:
        BenchmarkError: it fails; has the last lines that it wrote.
    """
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.splitlines()[-12:])
        raise BenchmarkError(f"{' '.join(arguments)[:200]}: exit {done.returncode}\n{last}")
    return done.stdout


def with_bytecode(folder: Path) -> dict[str, str]:
    """Return this environment with bytecode in a folder, whatever PYTHONDONTWRITEBYTECODE says.

    Installed packages have bytecode, and without it imports take longer.
    """
    prefix = str(folder / "bytecode")
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": prefix}
