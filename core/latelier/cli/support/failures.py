"""One line for each failure that a user can fix: bad input, a full disk, too little memory."""

import errno

from latelier.contracts.errors import LatelierError


def explain(error: Exception) -> str | None:
    """Return one line about a failure, or None if it is a bug and deserves its traceback."""
    if isinstance(error, LatelierError):
        return str(error)
    if _is_out_of_memory(error):
        return f"not enough memory: {_first_line(error)}"
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        return explain_os_error(error)
    return None


def explain_os_error(error: OSError) -> str:
    """Return the file, if it is known, and the reason of the operating system."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename and error.strerror else reason


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True  # the name of torch's class: torch is not imported to compare it
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return line.rpartition("DefaultCPUAllocator: ")[2] or "none is left"
