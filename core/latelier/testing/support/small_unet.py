"""A small UNet with random weights, for the checks of accelerations."""

import torch
from torch import Tensor

from latelier.contracts.components import Control, Denoiser
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import DenoiserConfig
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.unet import UNet
from latelier.diffusion.fixed_rows import FixedRows
from latelier.diffusion.predict import Predictor
from latelier.diffusion.processes.process import Process
from latelier.testing.support.randomness import randomize_zeros, seeded

SHAPE = (4, 8, 8)
WIDTH, TOKENS = 8, 2


class WithoutWrappers:
    """A denoiser that supports nothing, and refuses wrappers."""

    config = DenoiserConfig()

    def __call__(
        self, x: Tensor, t: Tensor, condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return x."""
        del t, condition
        if control is not None and (control.self_attention or control.deep_branch):
            raise TypeError("this denoiser knows no wrappers")
        return x


def make_predictor(process: Process, rows: int | None = None) -> Predictor:
    """Return the predictor of a small UNet, the same one each time.

    Args:
        process: of the noise.
        rows: of each call of the UNet; None: those of the call.
    """
    fields = {
        "in_channels": SHAPE[0],
        "out_channels": SHAPE[0],
        "model_channels": 16,
        "channel_mult": (1, 2),
        "num_res_blocks": 1,
        "attention_resolutions": (1, 2),
        "num_heads": 2,
        "num_groups": 4,
        "context_dim": WIDTH,
        "streams": {"text": {"width": WIDTH, "injection": "native"}},
    }
    with seeded():
        unet = UNet(UNetConfig.model_validate(fields)).double().eval()
        randomize_zeros(unet)
    denoiser: Denoiser = unet if rows is None else FixedRows(unet, rows)
    return Predictor(denoiser, process, torch.float64)


def make_conditions(rows: int) -> list[Condition]:
    """Return two conditions, each equal for all rows."""
    generator = torch.Generator().manual_seed(2)
    tokens = torch.randn(2, TOKENS, WIDTH, generator=generator, dtype=torch.float64)
    return [Condition({"text": Stream(each.expand(rows, -1, -1))}) for each in tokens]
