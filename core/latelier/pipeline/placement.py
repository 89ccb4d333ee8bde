"""On which device, and in which precision."""

import torch

from latelier.contracts.errors import InvalidInputError, suggestion

_PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}


def resolve_device(
    device: str | torch.device = "auto", dtype: str | torch.dtype = "auto"
) -> tuple[torch.device, torch.dtype]:
    """Return the device and precision meant; 'auto' is a GPU in bfloat16, else the CPU in float32.

    Raises:
        InvalidInputError: there is no such device or precision here.
    """
    found = _device(device)
    if isinstance(dtype, torch.dtype):
        return found, dtype
    if dtype == "auto":
        return found, torch.bfloat16 if found.type == "cuda" else torch.float32
    if dtype not in _PRECISIONS:
        raise InvalidInputError(
            f"there is no precision '{dtype}'. {suggestion(dtype, _PRECISIONS)}"
        )
    return found, _PRECISIONS[dtype]


def _device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidInputError(f"device '{device}' cannot be used here: {reason}") from None
    if found.type == "meta":
        raise InvalidInputError("device 'meta' cannot be used here: it holds no numbers")
    return found
