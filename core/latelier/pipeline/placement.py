"""Choosing the device and the precision of a pipeline."""

from collections.abc import Mapping
from typing import Any

import torch

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.messages import suggestion

_PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
    "float64": torch.float64,
}


def resolve_device(
    device: str | torch.device = "auto", dtype: str | torch.dtype = "auto"
) -> tuple[torch.device, torch.dtype]:
    """Return a device and a precision.

    'auto' is the accelerator, if there is one, and bfloat16 where the device computes it natively,
    else float32.

    Raises:
        InvalidInputError: this machine has no such device, or pipelines no such precision, or the
            device lacks it.
    """
    found = _find_device(device)
    if dtype == "auto":
        return found, torch.bfloat16 if computes_bfloat16(found) else torch.float32
    name = str(dtype).removeprefix("torch.")
    if name not in _PRECISIONS:
        raise InvalidInputError.of_field(
            "dtype", f"precision '{name}' not found. {suggestion(name, _PRECISIONS)}"
        )
    try:
        torch.ones(1, device=found, dtype=_PRECISIONS[name])
    except (RuntimeError, TypeError):
        raise InvalidInputError.of_field(
            "dtype", f"the device '{found}' has no {name}: choose another precision, or 'auto'"
        ) from None
    return found, _PRECISIONS[name]


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether a device has instructions for bfloat16, and need not emulate it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # since torch 2.11
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _find_device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        found: torch.device | None = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ImportError):
        found = None
    if found is None or found.type == "meta":  # meta tensors hold no numbers
        raise InvalidInputError(
            f"device '{device}' cannot be used here: this machine has {', '.join(list_devices())}",
            field="device",
        )
    return found


def list_devices() -> list[str]:
    """Return the devices of this machine: 'cpu', and 'cuda:0' and so on for each accelerator."""
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return ["cpu"]
    count = torch.accelerator.device_count()
    return ["cpu", accelerator.type, *(f"{accelerator.type}:{k}" for k in range(count))]
