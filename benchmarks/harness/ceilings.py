"""What the machine can reach: large matrix products and convolutions."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from benchmarks.harness.case import Sample, Variant
from benchmarks.harness.timing import timed

TRIES = 5


@dataclass(frozen=True)
class Kernel:
    """One operation, as large as it gets in the networks of latent diffusion.

    Attributes:
        work: computes it once.
        flops: floating-point operations of a call.
    """

    work: Callable[[], Tensor]
    flops: float

    def measure(self) -> float:
        """Return the seconds of the fastest of a few calls: a ceiling is what can be reached."""
        variant = timed(self.work)
        return min(variant.take().value for _ in range(TRIES))


def product(dtype: torch.dtype) -> Kernel:
    """Return the product of two 2048 x 2048 matrices."""
    a, b = torch.ones(2, 2048, 2048, dtype=dtype)
    return Kernel(lambda: a @ b, 2 * 2048**3)


def convolution(dtype: torch.dtype, side: int) -> Kernel:
    """Return the 3 x 3 convolution of 320 channels on two maps, channels-last."""
    x = torch.ones(2, 320, side, side).to(dtype, memory_format=torch.channels_last)
    weight = torch.ones(320, 320, 3, 3).to(dtype, memory_format=torch.channels_last)
    return Kernel(lambda: conv2d(x, weight, padding=1), 2 * 2 * side**2 * 9 * 320**2)


def measure_ceilings() -> dict[str, float]:
    """Return the GFLOP/s of each kernel on the CPU."""
    found = {}
    for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        kernels = {
            "matrix product 2048": product(dtype),
            "convolution 320 at 64": convolution(dtype, 64),
            "convolution 320 at 32": convolution(dtype, 32),
        }
        for kernel, each in kernels.items():
            found[f"{name} {kernel}"] = each.flops / each.measure() / 1e9
    return found


def at_ceiling(kernel: Kernel, flops: float) -> Variant:
    """Return the variant whose samples are the seconds that `flops` take at a kernel's rate."""
    return Variant(lambda: Sample(kernel.measure() * flops / kernel.flops))
