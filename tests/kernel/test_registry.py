"""Registries: bare names, ids, aliases, suggestions, schemas, and classes that are not right."""

from pathlib import Path
from typing import Any

import pytest

from latelier.contracts.configs import ConditionerConfig, OutputSpec
from latelier.contracts.errors import (
    AmbiguousNameError,
    InvalidConfigError,
    PluginError,
    UnknownNameError,
)
from latelier.kernel.registrar import Registrar
from latelier.kernel.registry import Registry
from latelier.kernel.spec import ComponentSpec

HERE = "registry_components"
COMPONENTS = """
from pydantic import BaseModel, Field
from latelier.contracts.configs import ConditionerConfig, OutputSpec

class Config(ConditionerConfig):
    width: int = Field(ge=1)
    def outputs(self): return OutputSpec(stream=self.width)

class Input(BaseModel):
    angle: float = Field(ge=0, lt=360, description="degrees")

class Built:
    def __init__(self, config): self.config = config

number = 5
"""


@pytest.fixture
def conditioners(site):
    (site.folder / f"{HERE}.py").write_text(COMPONENTS)
    registry = Registry("conditioner", {"short": "one/compass"})
    registry.add(component("one", "compass"))
    return registry


def component(distribution, name, kind="conditioner", **fields):
    places = {"factory": f"{HERE}:Built", "config": f"{HERE}:Config", "input": f"{HERE}:Input"}
    return ComponentSpec(
        kind=kind, name=name, distribution=distribution, version="1", **{**places, **fields}
    )


def test_a_component_is_found_by_bare_name_id_and_alias(conditioners):
    specs = {conditioners.spec(name).id for name in ("compass", "one/compass", "short")}
    assert specs == {"one/compass"}
    assert conditioners.names() == ["compass", "short"]
    assert "one/compass" in conditioners
    assert "compass" not in conditioners


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_an_ambiguous_bare_name_is_an_error(order):
    registry = Registry("first_stage")
    for distribution in order:
        registry.add(component(distribution, "vae", "first_stage"))
    registry.add(component("two", "vq", "first_stage"))
    assert registry.names() == ["one/vae", "two/vae", "vq"]
    assert [spec.id for spec in registry.specs()] == ["one/vae", "two/vae", "two/vq"]
    message = "first stage 'vae' is claimed by several plugins: use 'one/vae' or 'two/vae'"
    with pytest.raises(AmbiguousNameError, match=message):
        registry.spec("vae")


def test_the_nearest_name_is_suggested(conditioners):
    message = "there is no conditioner 'compas'. Did you mean 'compass'. Known: compass, short"
    with pytest.raises(UnknownNameError, match=message):
        conditioners.spec("compas")
    with pytest.raises(UnknownNameError, match=r"no sampler 'x'\. There are none\."):
        Registry("sampler").spec("x")


def test_an_alias_of_a_missing_component_is_an_error():
    with pytest.raises(UnknownNameError, match="no sampler 'gone/ddim'"):
        Registry("sampler", {"ddim": "gone/ddim"}).spec("ddim")


def test_schemas_come_from_the_classes(conditioners):
    assert conditioners.input_schema("compass")["properties"]["angle"]["description"] == "degrees"
    assert conditioners.config_schema("compass")["properties"]["width"]["minimum"] == 1
    assert conditioners.input_class("short") is conditioners.input_class("one/compass")


def test_a_kind_without_configurations_has_no_config_class():
    registry = Registry("sampler")
    registry.add(component("one", "ddim", "sampler", config=None, input=None))
    with pytest.raises(UnknownNameError, match="sampler 'one/ddim' has no config class"):
        registry.config_class("ddim")


def test_building_validates_the_configuration(conditioners):
    built = conditioners.build("compass", {"width": 8})
    assert built.config.width == 8
    assert isinstance(built.config, ConditionerConfig)
    assert built.config.outputs() == OutputSpec(stream=8)
    assert conditioners.build("compass", built.config).config is built.config
    with pytest.raises(InvalidConfigError, match="conditioner 'compass': 'width': Input should be"):
        conditioners.build("compass", {"width": 0})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"config": f"{HERE}:Input"},
            "expected its config class 'registry_components:Input' to extend Conditioner",
        ),
        ({"config": f"{HERE}:number"}, "its config class .* to extend ConditionerConfig"),
        ({"config": f"{HERE}:Nothing"}, "raised AttributeError"),
        (
            {"config": "nowhere:Config"},
            "'two/bad' cannot be loaded: 'nowhere:Config' raised Module",
        ),
    ],
)
def test_an_invalid_configuration_class_is_an_error(conditioners, fields, message):
    conditioners.add(component("two", "bad", **fields))
    with pytest.raises(PluginError, match=message):
        conditioners.config_class("bad")


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("first_stage", "FirstStageConfig"),
        ("denoiser", "DenoiserConfig"),
        ("conditioner", "ConditionerConfig"),
        ("adapter_kind", "AdapterConfig"),
    ],
)
def test_each_kind_has_a_base_of_its_configurations(site, kind, base):
    (site.folder / f"{HERE}.py").write_text(COMPONENTS)
    registry = Registry(kind)
    registry.add(component("two", "bad", kind, config=f"{HERE}:Input", input=None))
    with pytest.raises(PluginError, match=f"expected its config class .* to extend {base}"):
        registry.config_class("bad")


def test_an_invalid_input_class_is_an_error(conditioners):
    conditioners.add(component("two", "bad", input=f"{HERE}:Built"))
    with pytest.raises(PluginError, match=r"its input class .* to extend BaseModel"):
        conditioners.input_schema("bad")


def test_a_factory_that_exits_at_import_is_an_error(site):
    (site.folder / "exits.py").write_text("raise SystemExit(1)")
    registry = Registry("sampler")
    registry.add(component("two", "bad", "sampler", factory="exits:sampler"))
    with pytest.raises(PluginError, match="'exits:sampler' raised SystemExit"):
        registry.get("bad")


class TestData:
    """An adapter is a folder in a package: found, and nothing imported."""

    @pytest.fixture
    def registry(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
        (tmp_path / "outer_pkg" / "data" / "palette").mkdir(parents=True)
        (tmp_path / "outer_pkg" / "__init__.py").write_text("raise SystemExit('imported')")
        monkeypatch.syspath_prepend(tmp_path)
        registrar = Registrar("outer", "1")
        registrar.adapter("palette", folder="outer_pkg:data/palette")
        registrar.adapter("lost", folder="outer_pkg:data/lost")
        registrar.adapter("nobodys", folder="no_such_pkg:data")
        registrar.adapter("inner", folder="outer_pkg.inner:data")
        registry: Registry[Any] = Registry("adapter")
        for spec in registrar.specs:
            registry.add(spec)
        return registry

    def test_it_is_found_without_an_import(self, registry: Registry[Any], tmp_path: Path) -> None:
        assert registry.folder("palette") == tmp_path / "outer_pkg" / "data" / "palette"

    @pytest.mark.parametrize("name", ["lost", "nobodys", "inner"])
    def test_a_missing_folder_is_an_error(self, registry: Registry[Any], name: str) -> None:
        with pytest.raises(PluginError, match=f"component 'outer/{name}' cannot be found"):
            registry.folder(name)

    def test_a_widget_is_found_without_an_import(
        self, registry: Registry[Any], tmp_path: Path
    ) -> None:
        (tmp_path / "outer_pkg" / "palette.js").touch()
        registrar = Registrar("outer", "1")
        names = {"factory": "outer_pkg:A", "config": "outer_pkg:B", "input": "outer_pkg:C"}
        registrar.conditioner("plain", **names)
        registrar.conditioner("palette", **names, widget="outer_pkg:palette.js")
        registrar.conditioner("lost", **names, widget="outer_pkg:lost.js")
        conditioners: Registry[Any] = Registry("conditioner")
        for spec in registrar.specs:
            conditioners.add(spec)
        assert conditioners.widget("plain") is None
        assert conditioners.widget("palette") == tmp_path / "outer_pkg" / "palette.js"
        with pytest.raises(PluginError, match=r"there is no file 'outer_pkg:lost\.js'"):
            conditioners.widget("lost")

    def test_a_folder_cannot_be_imported(self, registry: Registry[Any]) -> None:
        with pytest.raises(PluginError, match="'outer/palette' is a folder of data"):
            registry.get("palette")

    def test_code_is_not_a_folder(self) -> None:
        registry: Registry[Any] = Registry("schedule")
        registrar = Registrar("outer", "1")
        registrar.schedule("karras", factory="a:b")
        registry.add(registrar.specs[0])
        with pytest.raises(PluginError, match="'outer/karras' is code"):
            registry.folder("karras")


OPTIONS = """
from collections.abc import Iterator

def walk(x, /, *, by: int = 1, to: int = 0):
    "Walk."
    return x, by, to
"""


def function_registry(site, **names):
    (site.folder / "registry_functions.py").write_text(OPTIONS)
    registry = Registry("guidance")
    for name, defaults in names.items():
        registry.add(
            ComponentSpec(
                kind="guidance",
                name=name,
                distribution="one",
                version="1",
                factory="registry_functions:walk",
                defaults=defaults,
            )
        )
    return registry


def test_a_function_has_the_defaults_of_its_name(site):
    registry = function_registry(site, walk={}, run={"by": 3})
    assert registry.get("walk")(0) == (0, 1, 0)
    run = registry.get("run")
    assert run(0) == (0, 3, 0)
    assert run(0, to=7, by=4) == (0, 4, 7)
    assert (run.__name__, run.__doc__) == ("walk", "Walk.")
    assert registry.get("one/run") is run


def test_a_default_for_an_unknown_option_is_an_error(site):
    registry = function_registry(site, run={"bye": 3})
    with pytest.raises(PluginError, match=r"guidance 'one/run': .*walk has no option 'bye'"):
        registry.get("run")
