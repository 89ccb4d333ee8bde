"""A plugin as it was published against the first minor version of the API, 0.1.

It is frozen: as long as the group of plugins is `latelier.v1`, nobody edits this file. If its tests
fail, the API is broken, not this plugin.
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


def stride(denoise, x, sigmas, /, *, reach=1.0):
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas)):
        denoised = denoise(x, sigma)
        x = torch.lerp(denoised, x, sigma_next / sigma * reach)
        yield Step(index, sigma_next, x, denoised)


def halfway(predict, condition, null, sigmas, /, *, scale=2.0):
    def denoise(x, sigma):
        x0, x0_null = predict(x, sigma, [condition, null])
        return torch.lerp(x0_null, x0, scale)

    return denoise


class Plugin:
    """Every hook of 0.1, each with the arguments that it needs."""

    def __init__(self):
        self.events = []

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
        self.events.append("composed")

    @hookimpl
    def latelier_before_step(self, step):
        self.events.append(f"before {step}")

    @hookimpl
    def latelier_after_step(self, step, snapshot):
        self.events.append(f"after {step}: {tuple(snapshot.latents().shape)}")

    @hookimpl
    def latelier_images_finished(self, pictures):
        self.events.append(f"{len(pictures)} pictures")

    @hookimpl
    def latelier_batch_trained(self, step, losses):
        self.events.append(f"trained {step}: {losses()['loss']:.0f}")

    @hookimpl
    def latelier_checkpoint_saved(self, path):
        self.events.append(f"saved {path}")


plugin = Plugin()
