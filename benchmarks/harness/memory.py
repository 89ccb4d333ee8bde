"""Resident memory of this process. Linux only: it reads /proc and resets the recorded peak."""

import ctypes
import gc
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.case import Sample, SkipError, Variant
from benchmarks.harness.processes import call_benchmarks

MIB = 2**20


def peak_memory(case: str, variant: str) -> Variant:
    """Return the variant whose samples are the peak memory of another variant, in MiB.

    It is measured in a new process: what a second call takes above what the first has left, which
    are the weights of all variants, with those that latelier packs when they are first used.
    """
    return Variant(lambda: Sample(float(call_benchmarks("peak", case, variant))), "MiB")


def measure_peak(work: Callable[[], Any]) -> float:
    """Return the peak of resident memory during a second call, above that before it, in MiB."""
    work()
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)  # freed memory must not count as resident
    Path("/proc/self/clear_refs").write_text("5")
    before = read_status("VmRSS")
    work()
    return read_status("VmHWM") - before


@contextmanager
def sample_anonymous() -> Iterator[list[float]]:
    """Yield a list whose one entry is the peak of anonymous memory so far, in MiB.

    It belongs to no file: weights that are copied and not mapped are in it. A thread samples it.
    """
    peak, done = [read_status("RssAnon")], threading.Event()

    def sample() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], read_status("RssAnon"))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
        peak[0] = max(peak[0], read_status("RssAnon"))


def read_status(field: str) -> float:
    """Return a field of /proc/self/status, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / MIB
    raise SkipError(f"this system does not record {field}")


def require_memory(gib: float) -> None:
    """Check that so much memory is available.

    Raises:
        SkipError: there is less.
    """
    available = read_available()
    if available < gib:
        raise SkipError(f"needs {gib:g} GiB of free memory; {available:.1f} are available")


def read_available() -> float:
    """Return the memory that a new process can have, in GiB."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) / 2**20
    raise SkipError("this system does not record the available memory")
