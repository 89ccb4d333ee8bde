"""The components that the documentation prints pass the conformance kit."""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import latelier
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.testing import (
    AccelerationContract,
    ConditionerContract,
    GuidanceContract,
    SamplerContract,
    ScheduleContract,
)

ROOT = Path(__file__).parents[2]


FOLDER = TemporaryDirectory()
"""The modules of the blocks, for this process and for those that the kit starts."""


def find_block(page, text):
    """Return the one block of Python on a page that contains a text."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    [block] = [each for each in blocks if text in each]
    return block


def write_module(path, code):
    file = Path(FOLDER.name, path)
    file.parent.mkdir(exist_ok=True)
    file.write_text(code)


def setup_module():
    sys.path.insert(0, FOLDER.name)
    imports = "from itertools import pairwise\nimport torch\nfrom latelier import Step\n"
    write_module("documented/readme.py", find_block("README.md", "def euler"))
    write_module("documented/contributing.py", imports + find_block("CONTRIBUTING.md", "def euler"))
    write_module("documented/samplers.py", find_block("docs/samplers.md", "def midpoint"))
    write_module("documented/schedules.py", find_block("docs/samplers.md", "def quadratic"))
    write_module("documented/guidance.py", find_block("docs/guidance.md", "def rising"))
    write_module("documented/acceleration.py", find_block("docs/accelerations.md", "def skip"))
    for name in ("inputs", "conditioner"):
        path = f"latelier_brightness/{name}.py"
        write_module(path, find_block("README.md", f"# {path}"))


def teardown_module():
    sys.path.remove(FOLDER.name)
    FOLDER.cleanup()


class Plugin:
    @latelier.hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("readme", factory="documented.readme:euler", order=1)
        registrar.sampler("contributing", factory="documented.contributing:euler", order=1)
        registrar.sampler(
            "midpoint", factory="documented.samplers:midpoint", order=2, nfe_per_step=2
        )
        registrar.schedule("quadratic", factory="documented.schedules:quadratic")
        registrar.guidance("rising", factory="documented.guidance:rising")
        registrar.acceleration("skip", factory="documented.acceleration:skip")
        registrar.conditioner(
            "brightness",
            factory="latelier_brightness.conditioner:Brightness",
            config="latelier_brightness.inputs:BrightnessConfig",
            input="latelier_brightness.inputs:Level",
        )


ATELIER = Atelier(policy=Policy(allow=frozenset()), strict=True)
ATELIER.register(Plugin(), "latelier-documented", "1.0")


class TestReadmeSampler(SamplerContract):
    component = "latelier-documented/readme"

    def atelier(self):
        return ATELIER


class TestContributingSampler(SamplerContract):
    component = "latelier-documented/contributing"

    def atelier(self):
        return ATELIER


class TestMidpoint(SamplerContract):
    component = "latelier-documented/midpoint"

    def atelier(self):
        return ATELIER


class TestBrightness(ConditionerContract):
    component = "latelier-documented/brightness"
    config = {"width": 8}
    inputs = [0, 1, {"level": 0.5}]
    bad_inputs = [2, "bright", {"levels": 1}]

    def atelier(self):
        return ATELIER


class TestQuadraticSchedule(ScheduleContract):
    component = "latelier-documented/quadratic"

    def atelier(self):
        return ATELIER


class TestRisingGuidance(GuidanceContract):
    component = "latelier-documented/rising"

    def atelier(self):
        return ATELIER


class TestSkipAcceleration(AccelerationContract):
    component = "latelier-documented/skip"
    exact = {"interval": 1}

    def atelier(self):
        return ATELIER
