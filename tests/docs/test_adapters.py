"""The configuration, table and code of docs/adapters.md agree with the package."""

import re
from pathlib import Path

import yaml

from latelier.checkpoints.manifests import StoredAdapter
from latelier.training.configs.adapter import AdapterTraining

PAGE = (Path(__file__).parents[2] / "docs" / "adapters.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_documented_configuration_is_valid():
    [block] = blocks("yaml")
    config = AdapterTraining.model_validate(yaml.safe_load(block))
    assert config.projection is None
    assert config.inputs["prompt"].drop == config.conditioner.drop == config.drop_all == 0.05


def test_the_table_has_every_field_of_the_format():
    table = PAGE.partition("| field |")[2].partition("\n\n")[0]
    named = {
        name
        for row in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    assert named == set(StoredAdapter.model_fields)


def test_the_documented_registration_works():
    from latelier.kernel.registrar import Registrar

    names = {}
    exec("import latelier\n" + blocks("python")[1], names)
    registrar = Registrar("latelier-palette", "1")
    names["latelier_register"](None, registrar)
    [spec] = registrar.specs
    assert (spec.kind, spec.id) == ("adapter", "latelier-palette/palette")
