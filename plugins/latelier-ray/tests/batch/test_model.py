"""What a job records of its model and adapters, before anything is loaded."""

from pathlib import Path

import pytest
from latelier import Atelier
from latelier.cli.options.adapters import read_adapters
from latelier.contracts.errors import InvalidInputError

from latelier_ray.batch.model import open_model

PALETTE = Path(__file__).parents[3] / "latelier-palette" / "latelier_palette" / "adapter"


def open_with(*adapters):
    atelier = Atelier()
    return open_model("emoji-scenes", read_adapters(adapters, atelier), atelier)


def test_an_adapter_adds_its_input_and_its_hashes():
    found = open_with(f"{PALETTE}:0.5,input=colours")
    assert "colours" in found.classes
    assert "colours" not in open_with().classes
    [facts] = found.facts["adapters"]
    assert (facts["input"], facts["scale"]) == ("colours", 0.5)
    assert facts["files_sha256"]
    assert all(len(each) == 64 for each in facts["files_sha256"])


def test_an_adapter_with_the_name_of_an_input_is_refused():
    with pytest.raises(InvalidInputError, match="already has an input 'prompt'"):
        open_with(f"{PALETTE}:input=prompt")
