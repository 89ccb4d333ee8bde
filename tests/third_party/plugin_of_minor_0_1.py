"""A plugin as it was published against the first minor version of the API, 0.1.

It is frozen: whatever latelier becomes, as long as its group is `latelier.v1` this file is not
edited. Where the tests of it fail, the API has broken, not this plugin.
"""

from itertools import pairwise

import torch
from pydantic import Field

from latelier import (
    Conditioner,
    ConditionerConfig,
    ConditionPart,
    Frozen,
    OutputSpec,
    Step,
    Stream,
    hookimpl,
)


class MoodConfig(ConditionerConfig):
    width: int = Field(16, ge=1, description="width of the token")

    def outputs(self):
        return OutputSpec(stream=self.width)


class Mood(Frozen):
    cheer: float = Field(ge=0, le=1, description="how cheerful")


class MoodConditioner(Conditioner):
    Input = Mood

    def __init__(self, config):
        super().__init__(config)
        self.line = torch.nn.Linear(1, config.width)
        self.nothing = torch.nn.Parameter(torch.zeros(1, 1, config.width))

    def prepare(self, inputs, geometry):
        return {"cheer": torch.tensor([[each.cheer] for each in inputs])}

    def forward(self, batch, geometry):
        return ConditionPart(stream=Stream(self.line(batch["cheer"])[:, None]))

    def null(self, rows, geometry):
        return ConditionPart(stream=Stream(self.nothing.expand(rows, -1, -1)))


def stride(denoise, x, grid, /, *, noise, reach=1.0):
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised, x, to / sigma * reach)
        yield Step(index, to, x, denoised)


def halfway(predict, condition, null, grid, /, *, scale=2.0):
    def denoise(x, sigma):
        x0, x0_null = predict(x, sigma, [condition, null])
        return torch.lerp(x0_null, x0, scale)

    return denoise


class Plugin:
    """Every hook that there was, each with as few arguments as it needs."""

    def __init__(self):
        self.told = []

    @hookimpl
    def latelier_register(self, registrar):
        here = __name__
        registrar.conditioner(
            "mood",
            factory=f"{here}:MoodConditioner",
            config=f"{here}:MoodConfig",
            input=f"{here}:Mood",
        )
        registrar.sampler("stride", factory=f"{here}:stride")
        registrar.sampler("long_stride", factory=f"{here}:stride", defaults={"reach": 1.0}, order=1)
        registrar.guidance("halfway", factory=f"{here}:halfway")

    @hookimpl
    def latelier_pipeline_composed(self, pipeline):
        self.told.append("composed")

    @hookimpl
    def latelier_before_step(self, step):
        self.told.append(f"before {step}")

    @hookimpl
    def latelier_after_step(self, step, snapshot):
        self.told.append(f"after {step}: {tuple(snapshot.latents().shape)}")

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.told.append(f"{len(pictures)} pictures")

    @hookimpl
    def latelier_batch_trained(self, step, losses):
        self.told.append(f"trained {step}: {losses()['loss']:.0f}")

    @hookimpl
    def latelier_checkpoint_saved(self, path):
        self.told.append(f"saved {path}")


plugin = Plugin()
