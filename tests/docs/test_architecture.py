"""The layers in the documentation are those that the import contracts check."""

import ast
import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def checked_layers():
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    lines = contracts["importlinter:contract:layers"]["layers"].split("\n")
    return [name for line in lines for name in re.findall(r"\b[a-z]\w*", line)]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_documented_layers_are_the_checked_ones(page):
    blocks = re.findall(r"```text\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    [layers] = [block for block in blocks if block.startswith("cli")]
    rows = [set(re.findall(r"\w+", row)) for row in layers.splitlines()]
    found = [
        next(index for index, row in enumerate(rows) if name in row) for name in checked_layers()
    ]
    assert found == sorted(found)


def index_rows():
    page = (ROOT / "docs/architecture.md").read_text()
    return re.findall(r"^\| [^|]+ \| `([\w/]+\.py)` \| `([\w.]+)` \|$", page, re.MULTILINE)


def test_the_index_has_rows():
    assert len(index_rows()) >= 15


@pytest.mark.parametrize(("file", "name"), index_rows())
def test_the_index_names_what_is_there(file, name):
    body = ast.parse((ROOT / file).read_text()).body
    for part in name.split("."):
        [found] = [each for each in body if getattr(each, "name", None) == part]
        body = getattr(found, "body", [])
