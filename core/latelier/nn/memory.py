"""The memory of a device: how much is free, and which errors say that it is exhausted."""

import os
from pathlib import Path

import torch

_GROUP = Path("/sys/fs/cgroup")
"""Of the control group of this process, in a container: its limit and use of memory, in bytes."""


def free_memory(device: torch.device) -> int:
    """Return the free bytes of a device; those of a CPU include the caches that it can drop."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - a pseudo-file
            fields = dict(line.split(":", 1) for line in file)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):  # not Linux
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min(free, _free_in_group(free))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory is exhausted; on a CPU torch has no type for it."""
    if isinstance(error, RuntimeError) and "can't allocate memory" in str(error):
        return True
    return isinstance(error, torch.OutOfMemoryError | MemoryError)


def format_gigabytes(size: float) -> str:
    """Return a number of bytes in GB."""
    return f"{size / 1e9:,.2f} GB"


def _free_in_group(otherwise: int) -> int:
    """Return the free bytes of the control group, or `otherwise` if it has no limit."""
    try:
        limit, used = (int((_GROUP / f"memory.{each}").read_text()) for each in ("max", "current"))
        statistics = (_GROUP / "memory.stat").read_text().splitlines()
        cached = dict(line.split() for line in statistics)["inactive_file"]
    except (OSError, ValueError, KeyError):
        return otherwise
    return max(0, limit - used + int(cached))
