"""docs/addons.md names every option of the importers and of the command."""

import re
from inspect import signature
from pathlib import Path

from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS

from latelier_addons.controlnet.importer import CONTROL_TYPES, ControlNetImporter
from latelier_addons.preprocessors.filters import FILTERS

PAGE = (Path(__file__).parents[3] / "docs" / "addons.md").read_text()


def test_every_option_of_the_importer_is_on_the_page():
    found = set(re.findall(r"^\| `(\w+)=", PAGE, flags=re.M))
    assert found == ControlNetImporter.options - {IGNORE_LEFTOVERS}


def test_the_filters_and_their_defaults_are_on_the_page():
    for name, function in FILTERS.items():
        row = re.search(rf"^\| `{name}` \|.*", PAGE, flags=re.M)[0]
        options = list(signature(function).parameters.values())[1:]
        documented = {
            option: float(value) for option, value in re.findall(r"--(\w+) ([\d.]+)", row)
        }
        assert documented == {each.name: each.default for each in options}


def test_the_control_types_are_on_the_page():
    row = re.search(r"^\| `type=NAME`.*", PAGE, flags=re.M)[0]
    assert set(re.findall(r"`(\w+)`", row)) == CONTROL_TYPES.keys()
