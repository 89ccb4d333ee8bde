"""A plugin that tries to end the process ends the run with an error that names it."""

from collections.abc import Callable

import pytest
import torch

from latelier import Conditioner, ConditionerConfig, ConditionPart, OutputSpec, Stream, hookimpl
from latelier.contracts.errors import PluginError
from latelier.contracts.frozen import Frozen
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.pipeline.pipeline import Pipeline


def exiting_schedule(steps, process, /):
    raise SystemExit(3)


def exiting_guidance(predict, condition, null, sigmas, /):
    raise SystemExit(3)


def exiting_later(predict, condition, null, sigmas, /):
    def denoise(x, sigma):
        raise SystemExit(3)

    return denoise


def exiting_acceleration(predict, sigmas, /):
    raise SystemExit(3)


def exiting_estimate(predict, sigmas, /):
    def estimate(x, sigma, conditions, control=None):
        raise SystemExit(3)

    return estimate


class Config(ConditionerConfig):
    exits: str = "never"

    def outputs(self) -> OutputSpec:
        return OutputSpec(stream=16)


class Value(Frozen):
    text: str


class Exiting(Conditioner[Config]):
    """Exits where its configuration says."""

    Input = Value

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.exit_at("init")

    def exit_at(self, place: str) -> None:
        if self.config.exits == place:
            raise SystemExit(3)

    def prepare(self, inputs, _geometry, /) -> dict[str, torch.Tensor]:
        self.exit_at("prepare")
        return {"x": torch.zeros(len(inputs), 1, 16)}

    def forward(self, batch, _geometry, /) -> ConditionPart:
        self.exit_at("forward")
        return ConditionPart(Stream(batch["x"]))

    def null(self, rows: int, _geometry, /) -> ConditionPart:
        self.exit_at("null")
        return ConditionPart(Stream(torch.zeros(rows, 1, 16)))


class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.schedule("exiting_schedule", factory=f"{__name__}:exiting_schedule")
        registrar.guidance("exiting_guidance", factory=f"{__name__}:exiting_guidance")
        registrar.guidance("exiting_later", factory=f"{__name__}:exiting_later")
        registrar.acceleration("exiting_acceleration", factory=f"{__name__}:exiting_acceleration")
        registrar.acceleration("exiting_estimate", factory=f"{__name__}:exiting_estimate")
        registrar.conditioner(
            "exiting",
            factory=f"{__name__}:Exiting",
            config=f"{__name__}:Config",
            input=f"{__name__}:Value",
        )


@pytest.fixture
def atelier() -> Atelier:
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Plugin(), "mine")
    return atelier


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "exiting_schedule"},
        {"guidance": "exiting_guidance"},
        {"guidance": "exiting_later"},
        {"acceleration": "exiting_acceleration"},
        {"acceleration": "exiting_estimate"},
    ],
)
def test_a_function_that_exits_is_an_error_of_the_plugin(atelier, compose_tiny, options):
    (name,) = options.values()
    with pytest.raises(PluginError, match=rf"'mine/{name}' failed: SystemExit: 3"):
        compose_tiny(atelier).generate(prompt="a cat", steps=2, **options)


@pytest.fixture
def compose_exiting(atelier, compose_tiny, tiny_changes) -> Callable[[str], Pipeline]:
    def compose_it(place: str) -> Pipeline:
        own = {"text": ("exiting", {"exits": place})}
        return compose_tiny(atelier, conditioners=tiny_changes()["conditioners"] | own)

    return compose_it


@pytest.mark.parametrize("place", ["prepare", "forward", "null"])
def test_a_conditioner_that_exits_is_an_error_of_the_plugin(compose_exiting, place):
    pipeline = compose_exiting(place)
    with pytest.raises(PluginError, match=r"conditioner 'text' failed: SystemExit: 3"):
        pipeline.generate(prompt={"text": "a cat"}, steps=2)


def test_a_conditioner_that_exits_when_it_is_made_is_an_error_of_the_plugin(compose_exiting):
    with pytest.raises(PluginError, match=r"conditioner 'mine/exiting' failed: SystemExit: 3"):
        compose_exiting("init")
