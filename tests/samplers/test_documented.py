"""The sampler that docs/samplers.md writes: a plugin of its own, of the order that it declares."""

import math
import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from latelier.diffusion.grid import Grid
from latelier.evaluation.sampling.budget import calls_on
from latelier.evaluation.sampling.mixture import exact_denoise
from latelier.kernel.atelier import Atelier
from latelier.kernel.policy import Policy
from latelier.kernel.spec import resolve

PAGE = (Path(__file__).parents[2] / "docs" / "samplers.md").read_text()


@pytest.fixture
def atelier(tmp_path, monkeypatch):
    """The built-ins, and the plugin of the page."""
    for path, code in re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    (entry,) = project["entry-points"]["latelier.v1"].values()
    made = Atelier(policy=Policy(allow=frozenset()))
    made.register(resolve(entry, "docs"), project["name"], project["version"])
    yield made
    for module in [name for name in sys.modules if name.startswith("latelier_midpoint")]:
        del sys.modules[module]


def test_it_has_the_order_and_the_calls_that_it_declares(atelier):
    """On normal data of mean m and deviation s, whose x at sigma is m + sqrt(s^2 + sigma^2) z."""
    traits, midpoint = atelier.samplers.spec("midpoint").traits, atelier.samplers.get("midpoint")
    mean, std = torch.tensor([[0.5, -1.0]], dtype=torch.float64), 0.3
    z = torch.tensor([[1.0, 0.2], [-0.7, 2.0]], dtype=torch.float64)
    errors = []
    for steps in (40, 80):
        grid = Grid([(2 - k / steps) ** 3 for k in range(steps + 1)], "ve")
        x = mean + math.hypot(std, grid.sigmas[0]) * z
        *_, last = midpoint(exact_denoise(mean, std, "ve"), x, grid, noise=None)
        errors.append((last.x - mean - math.hypot(std, grid.sigmas[-1]) * z).norm())
        assert calls_on(midpoint, grid) == traits.calls * steps
    assert math.log2(errors[0] / errors[1]) == pytest.approx(traits.order, abs=0.1)


def test_every_name_in_its_table_is_registered(atelier):
    table = PAGE.partition("| name |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:]))
    built_in = {spec.name for spec in atelier.samplers.specs()} - {"midpoint"}
    assert set(named) == built_in
