"""Trains a small denoiser on pictures with a bright spot in the direction asked, and measures.

Run by the test in a process of its own, in which latelier-compass is installed. Everything is done
through public pieces; prints one JSON object.
"""

import json
import math

import torch
from torch import Tensor, nn

from latelier import Pipeline, compose, hookimpl
from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, where
from latelier.contracts.configs import FirstStageConfig
from latelier.contracts.inputs import read_input
from latelier.kernel.atelier import Atelier

SIDE = 8
STEPS = 200
BATCH = 32
ASKED = (0, 90, 180, 270)


class PixelsConfig(FirstStageConfig):
    """Pictures are their own latents."""

    @property
    def downsampling(self) -> int:
        return 1

    @property
    def latent_channels(self) -> int:
        return 3


class Pixels(nn.Module):
    def __init__(self, config: PixelsConfig) -> None:
        super().__init__()
        self.config = config

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, latents: Tensor) -> Tensor:
        return latents


class PixelsPlugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.first_stage(
            "pixels", factory=f"{__name__}:Pixels", config=f"{__name__}:PixelsConfig"
        )


def composed() -> Pipeline:
    atelier = Atelier(strict=True)
    atelier.register(PixelsPlugin())
    return compose(
        first_stage=("pixels", {}),
        denoiser=(
            "unet",
            {
                "in_channels": 3,
                "out_channels": 3,
                "model_channels": 16,
                "channel_mult": (1, 2),
                "num_res_blocks": 1,
                "attention_resolutions": (2,),
                "num_heads": 2,
                "num_groups": 4,
                "context_dim": 16,
                "streams": {"compass": {"width": 16, "injection": "named"}},
            },
        ),
        conditioners={"compass": ("compass", {"width": 16})},
        process={"kind": "rectified_flow"},
        defaults={"size": SIDE, "steps": 8},
        device="cpu",
        atelier=atelier,
    )


def scenes(degrees: Tensor) -> Tensor:
    """Return pictures (B, 3, 8, 8) in [-1, 1] with a bright spot in each direction."""
    angle = degrees.deg2rad()
    place = torch.arange(SIDE) - (SIDE - 1) / 2
    x = place[None, None, :] - 2.5 * angle.sin().view(-1, 1, 1)
    y = place[None, :, None] + 2.5 * angle.cos().view(-1, 1, 1)
    spot = torch.exp(-(x**2 + y**2) / 2)
    return (2 * spot - 1)[:, None].expand(-1, 3, -1, -1)


def train(pipe: Pipeline, generator: torch.Generator) -> None:
    conditioner, denoiser, process = pipe.conditioners["compass"], pipe.denoiser, pipe.process
    modules = (denoiser, conditioner)
    weights = [each.requires_grad_() for module in modules for each in module.parameters()]
    optimizer = torch.optim.Adam(weights, lr=3e-3, fused=True)
    geometry = PictureGeometry((SIDE, SIDE), (SIDE, SIDE))
    for _ in range(STEPS):
        degrees = torch.randint(360, (BATCH,), generator=generator)
        inputs = [read_input(conditioner.Input, float(each), "compass") for each in degrees]
        part = conditioner(conditioner.prepare(inputs, geometry), geometry)
        keep = torch.rand(BATCH, generator=generator) > 0.1
        part = where(keep, part, conditioner.null(BATCH, geometry))
        x0 = pipe.first_stage.encode(scenes(degrees))
        eps = torch.randn(x0.shape, generator=generator)
        sigma = torch.randn(BATCH, generator=generator).sigmoid()
        x = process.noised(x0, eps, sigma)
        said = denoiser(x, process.timestep(sigma), Condition.of({"compass": part}))
        loss = (said - process.target(x0, eps, sigma)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def seen_direction(image) -> float:
    """Return the direction, in degrees, of a picture's brightness about its centre."""
    levels = torch.tensor(list(image.convert("L").tobytes())).view(SIDE, SIDE).float()
    place = torch.arange(SIDE) - (SIDE - 1) / 2
    x, y = (levels * place[None]).sum(), (levels * place[:, None]).sum()
    return math.degrees(math.atan2(x, -y)) % 360


def main() -> None:
    torch.manual_seed(0)
    pipe = composed()
    train(pipe, torch.Generator().manual_seed(1))
    pictures = pipe.generate(compass=list(ASKED), n=4, seed=7, guidance=2.0)
    asked = [
        each["request"]["inputs"]["compass"][k // 4]
        for k, each in enumerate(p.provenance for p in pictures)
    ]
    errors = []
    for degrees, picture in zip(asked, pictures):
        turn = abs(seen_direction(picture.image) - degrees) % 360
        errors.append(min(turn, 360 - turn))
    plugins = {report.id: report.state for report in pipe.atelier.plugins}
    print(json.dumps({"errors": errors, "plugins": plugins, "asked": asked}))  # noqa: T201


if __name__ == "__main__":
    main()
