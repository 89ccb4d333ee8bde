"""The loops of docs/own-data.md run, and what they train learns."""

import re
from pathlib import Path

import pytest
import torch

import latelier
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "own-data.md").read_text()
COMPASS = ROOT / "tests" / "third_party" / "latelier-compass"


@pytest.fixture
def atelier(monkeypatch):
    monkeypatch.syspath_prepend(COMPASS)
    from latelier_compass import plugin

    made = Atelier(policy=Policy(allow=frozenset()), strict=True)
    made.register(plugin, "latelier-compass", "0.1.0")
    monkeypatch.setattr("latelier.kernel.default.default_atelier", lambda: made)
    for module in ("composition", "loading"):
        monkeypatch.setattr(f"latelier.pipeline.{module}.default_atelier", lambda: made)
    return made


def test_the_blocks_run_and_learn(atelier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loss, model, adapter = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    images = torch.linspace(-1, 1, 2 * 3 * 16 * 16).view(2, 3, 16, 16)
    names = {"batches": [(images, [0, 180])] * 60}
    torch.manual_seed(0)
    exec(loss, names)
    compute_loss = names["compute_loss"]
    losses = []
    names["compute_loss"] = lambda *given: losses.append(compute_loss(*given)) or losses[-1]
    exec(model, names)
    assert sum(losses[-10:]) < sum(losses[:10]) / 2
    assert latelier.load("north", atelier=atelier).generate(compass=90, steps=1)

    base = latelier.load("emoji-scenes", device="cpu", dtype="float32", atelier=atelier)
    before = [each.clone() for each in base.denoiser.parameters()]
    pictures = images.repeat_interleave(4, 2).repeat_interleave(4, 3)
    names |= {"base": base, "captioned_batches": [(pictures, ["a cat", "a dog"], [0, 180])] * 2}
    exec(adapter, names)
    assert all(torch.equal(*pair) for pair in zip(before, base.denoiser.parameters()))
    view = base.with_adapter("compass-adapter")
    request = {"prompt": "a cat", "steps": 1, "seed": 7}
    [one], [other] = view.generate(**request, compass=90), base.generate(**request)
    assert one.image.tobytes() != other.image.tobytes()
