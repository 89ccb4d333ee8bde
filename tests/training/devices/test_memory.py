"""Memory in a process of its own, where no other test has left holes in the heap."""

import platform
import resource
import subprocess
import sys

import pytest
import torch

from latelier.training.devices.memory import keep_freed_memory

BLOCK = 64 * 2**20
MARGIN = 2**16
"""An aligned block needs a little more room than it has: a small block may lie close beside it."""


def count_page_faults(size: int = BLOCK - MARGIN) -> int:
    """Return the page faults of a block of memory that is allocated, written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(size, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries stay as they are")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    pages = BLOCK // resource.getpagesize()
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=True)
    inside, after = map(int, done.stdout.split())
    assert inside < pages / 100
    assert after > pages / 1000  # the system has it back


def test_freed_memory_of_other_c_libraries_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    with keep_freed_memory():
        pass


if __name__ == "__main__":
    with keep_freed_memory():
        count_page_faults(BLOCK)
        again = count_page_faults()
    sys.stdout.write(f"{again} {count_page_faults()}\n")
