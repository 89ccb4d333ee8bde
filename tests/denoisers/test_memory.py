"""Memory of a forward pass of Stable Diffusion 1.5 at 512 x 512 pixels, without weights."""

import subprocess
import sys

import pytest

RUN = """
import sys, torch
from latelier.denoisers.unet import UNet
from latelier.denoisers.configs import UNetConfig
from latelier.contracts.condition import Condition, Stream

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

dtype = getattr(torch, sys.argv[1])
config = UNetConfig(
    in_channels=4, out_channels=4, model_channels=320, channel_mult=(1, 2, 4, 4), num_heads=8,
    attention_resolutions=(4, 2, 1), context_dim=768,
    streams={"text": {"width": 768, "injection": "native"}},
)
with torch.device("meta"):
    model = UNet(config).to(dtype)
model.to_empty(device="cpu").eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.uniform_(-0.02, 0.02)
x, t = torch.randn(1, 4, 64, 64, dtype=dtype), torch.ones(1)
condition = Condition({"text": Stream(torch.randn(1, 77, 768, dtype=dtype))})
before = peak()
with torch.inference_mode():
    assert model(x, t, condition).isfinite().all()
print(peak() - before)
"""

PAIRS = 8 * 4096**2
"""Weights that one attention at full resolution would hold: heads times places squared."""


@pytest.mark.zoo
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize(("dtype", "size"), [("float32", 4), ("bfloat16", 2)])
def test_attention_memory_is_below_that_of_explicit_weights(dtype: str, size: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, dtype], capture_output=True, text=True, check=True
    )
    assert 10**7 < int(done.stdout) < PAIRS * size * 0.75
