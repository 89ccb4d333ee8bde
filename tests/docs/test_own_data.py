"""The examples of docs/own-data.md are valid, its loops run, and what they train learns."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

import latelier
from latelier.data.manifest.record import Header, Record
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.training.configs.data import DataConfig

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


def test_the_configurations_are_valid():
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        DataConfig.model_validate(yaml.safe_load(block)["data"])


def test_the_manifest_is_valid():
    [block] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    header, *records = block.splitlines()
    Header.model_validate(json.loads(header))
    assert len([Record.model_validate_json(record) for record in records]) == 3


def test_every_field_of_a_record_is_on_the_page():
    for name in Record.model_fields:
        assert f"`{name}`" in PAGE, name
