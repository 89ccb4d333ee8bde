"""The sampler that docs/samplers.md writes: a plugin of its own, of the order that it declares."""

import math
import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from latelier.contracts.sampling import run_sampler
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.evaluation.sampling.budget import count_calls
from latelier.evaluation.sampling.mixture import make_exact_denoise
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import resolve
from latelier.kernel.trust.policy import Policy
from latelier_samplers.heun import heun

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


def test_the_documented_sampler_has_its_declared_order_and_nfe(atelier):
    """On two wide modes: on a single one the errors of second order cancel."""
    traits, midpoint = atelier.samplers.spec("midpoint").traits, atelier.samplers.get("midpoint")
    modes = torch.tensor([[0.5, -1.0], [-1.0, 1.5]], dtype=torch.float64)
    denoise = make_exact_denoise(modes, 0.7, "ve")

    def end(sampler, steps):
        grid = SigmaGrid([(2 - k / steps) ** 3 for k in range(steps + 1)], "ve")
        assert sampler is heun or count_calls(sampler, grid) == traits.nfe_per_step * steps
        x = torch.tensor([[8.0, 2.0], [-6.0, 9.0]], dtype=torch.float64)
        *_, last = run_sampler(sampler, denoise, x, grid)
        return last.x

    exact = end(heun, 4000)
    coarse, fine = ((end(midpoint, steps) - exact).norm() for steps in (40, 80))
    assert math.log2(coarse / fine) == pytest.approx(traits.order, abs=0.15)


def test_the_table_lists_all_samplers(atelier):
    table = PAGE.partition("| name |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:]))
    built_in = {spec.name for spec in atelier.samplers.specs()} - {"midpoint"}
    assert set(named) == built_in
