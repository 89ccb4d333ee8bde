"""The smaller blocks of CONTRIBUTING.md; the compass of the larger ones is tests/third_party's."""

import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from pydantic import Field, TypeAdapter, field_validator

from latelier import Frozen, Image, Step
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import read_input
from latelier.contracts.sigma_grid import SigmaGrid

BLOCKS = re.findall(
    r"```python\n(.*?)```",
    (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(),
    re.DOTALL,
)


def block(start):
    [found] = [each for each in BLOCKS if each.startswith(start)]
    return found


def test_the_padding_example_runs():
    lines = [f"    {line}\n" for line in block("longest").splitlines()]
    names = {"torch": torch}
    exec("def prepare(inputs):\n" + "".join(lines), names)
    batch = names["prepare"]([SimpleNamespace(notes=[1.0, 2.0]), SimpleNamespace(notes=[3.0])])
    assert batch["notes"].tolist() == [[1, 2], [3, 0]]
    assert batch["mask"].tolist() == [[True, True], [True, False]]


def test_the_measured_input_example_runs():
    names = {each.__name__: each for each in (Frozen, Field, TypeAdapter, field_validator)} | {
        "Image": Image
    }
    exec(block("class Brightness"), names)
    brightness = names["Brightness"]
    assert read_input(brightness, 0.25, "brightness").level == 0.25
    assert read_input(brightness, torch.zeros(3, 8, 8), "brightness").level == pytest.approx(
        0.5, abs=0.01
    )
    for wrong in (2, "no/such.png"):
        with pytest.raises(InvalidInputError, match="'level'"):
            read_input(brightness, wrong, "brightness")


def test_the_sampler_example_runs():
    names = {"torch": torch, "pairwise": pairwise, "Step": Step}
    exec(block("def euler"), names)
    sigmas = SigmaGrid((2.0, 1.0, 0.0), "ve").sigmas
    steps = list(names["euler"](lambda x, sigma: x * 0, torch.ones(1, 2), sigmas))
    assert [step.x.tolist() for step in steps] == [[[0.5, 0.5]], [[0.0, 0.0]]]
