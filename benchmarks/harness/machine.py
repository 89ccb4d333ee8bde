"""The machine and the versions that a result depends on, and what else ran meanwhile."""

import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.harness.processes import ROOT

PACKAGES = ("torch", "diffusers", "transformers", "numpy")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def describe_machine() -> dict[str, str]:
    """Return the facts on which the numbers depend, human-readable."""
    import torch

    facts = read_cpu()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    flags = [flag for flag in FLAGS if flag in facts.get("flags", "").split()]
    found = {
        "processor": f"{facts.get('model name', platform.processor())}, {cores} cores, "
        f"family {facts.get('cpu family', '?')}",
        "instructions": ", ".join(flags) or "unknown",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "threads": str(torch.get_num_threads()),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found | {name: read_version(name) for name in PACKAGES}


def read_cpu() -> dict[str, str]:
    """Return the fields of the first processor; empty where the system has no /proc/cpuinfo."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def read_version(package: str) -> str:
    """Return the version of a distribution, or "missing"."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def read_commit() -> str:
    """Return the commit of the repository, marked where files differ from it."""
    try:
        command = ["git", "describe", "--always", "--dirty=, changed", "--abbrev=10"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


@contextmanager
def watch_others() -> Iterator[list[float]]:
    """Yield a list that afterwards has the share of the processors that others used, 0 to 1.

    It is empty on systems other than Linux.
    """
    share: list[float] = []
    start, busy, own = time.perf_counter(), _read_busy(), sum(os.times()[:4])
    yield share
    wall, used = time.perf_counter() - start, sum(os.times()[:4]) - own
    if busy is not None:
        others = (_read_busy() or 0) - busy - used
        share.append(max(0.0, others / (wall * (os.cpu_count() or 1))))


def _read_busy() -> float | None:
    """Return the seconds that all processors together have worked since the start."""
    try:
        words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return None
    ticks = [int(word) for word in words]
    idle = ticks[3] + ticks[4]
    return (sum(ticks[:8]) - idle) / os.sysconf("SC_CLK_TCK")
