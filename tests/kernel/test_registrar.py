"""What may be registered, and what it becomes."""

import pytest

from latelier.contracts.errors import PluginError
from latelier.kernel.registrar import Registrar
from latelier.kernel.spec import KINDS, SamplerTraits

MODULE = {"factory": "a.b:C", "config": "a.c:D"}


def test_every_kind_can_be_registered():
    registrar = Registrar("my-dist", "1.2")
    registrar.first_stage("vae", **MODULE)
    registrar.denoiser("unet", **MODULE)
    registrar.conditioner("text", **MODULE, input="a.c:E", widget="a.b:pages/text.js")
    registrar.sampler("ddpm", factory="a:ddim", defaults={"eta": 1.0})
    registrar.schedule("karras", factory="a:karras")
    registrar.guidance("cfg", factory="a:cfg")
    registrar.acceleration("cache", factory="a:cache")
    registrar.importer("compvis", factory="a:CompVis")
    registrar.adapter_kind("control", **MODULE)
    registrar.adapter("palette", folder="my_dist.data:adapters/palette-v1.5")
    registrar.database("birds", factory="a:birds")
    registrar.feature_network("dino", **MODULE)
    registrar.measure("sharpness", **MODULE)
    assert tuple(spec.kind for spec in registrar.specs) == KINDS
    assert {spec.distribution for spec in registrar.specs} == {"my-dist"}
    assert {spec.version for spec in registrar.specs} == {"1.2"}
    assert registrar.specs[2].id == "my-dist/text"
    assert registrar.specs[2].input == "a.c:E"
    assert registrar.specs[2].widget == "a.b:pages/text.js"
    assert registrar.specs[3].defaults == {"eta": 1.0}
    assert registrar.specs[4].defaults == {}
    assert registrar.specs[9].folder == "my_dist.data:adapters/palette-v1.5"
    assert registrar.specs[10].factory == "a:birds"


def test_a_database_is_code_or_a_folder():
    registrar = Registrar("my-dist", "1.2")
    registrar.database("birds", folder="my_dist:birds")
    assert registrar.specs[0].folder == "my_dist:birds"
    for fields in ({}, {"factory": "a:b", "folder": "a:b"}):
        with pytest.raises(PluginError, match="either a factory or a folder"):
            registrar.database("fish", **fields)


def test_one_name_may_have_two_kinds():
    registrar = Registrar("d", "1")
    registrar.schedule("model", factory="a:b")
    registrar.sampler("model", factory="a:b")
    assert len(registrar.specs) == 2


@pytest.mark.parametrize("name", ["", "Big", "1st", "with-dash", "with space", "a/b", "a.b", "é"])
def test_invalid_names_are_refused(name):
    with pytest.raises(
        PluginError, match=f"schedule '{name}': 'name': a name is lower-case letters"
    ):
        Registrar("d", "1").schedule(name, factory="a:b")


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:", ":b", "a.b", "a:b:c", "a.:b", ".a:b", "a..b:c", "a b:c", "a:b()", "a:b\n"],
)
def test_invalid_import_strings_are_refused(text):
    with pytest.raises(PluginError, match="an import string looks like"):
        Registrar("d", "1").schedule("name", factory=text)
    with pytest.raises(PluginError, match="an import string looks like"):
        Registrar("d", "1").denoiser("name", factory="a:b", config=text)


@pytest.mark.parametrize(
    "text", ["", "a", "a:", ":b", "a:/b", "a:../b", "a:b/../c", "a:.b", "a:b/", "a b:c", "a:b\\c"]
)
def test_invalid_folders_are_refused(text):
    with pytest.raises(PluginError, match="a folder of a package looks like"):
        Registrar("d", "1").adapter("name", folder=text)


@pytest.mark.parametrize(
    "text", ["", "a:b.css", "a:../b.js", "a:/b.js", "b.js", "a:b.js?x", "a:.js"]
)
def test_invalid_widgets_are_refused(text):
    with pytest.raises(PluginError, match="a widget is an ES module in a package"):
        Registrar("d", "1").conditioner("name", **MODULE, input="a:b", widget=text)


def test_values_of_a_wrong_type_are_refused():
    with pytest.raises(PluginError, match="sampler 'x': 'factory': Input should be a valid string"):
        Registrar("d", "1").sampler("x", factory=print)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["sampler", "schedule", "guidance", "acceleration"])
def test_summaries_of_functions_are_recorded(kind):
    check_summaries(kind, factory="a:b")


@pytest.mark.parametrize("kind", ["feature_network", "measure"])
def test_summaries_of_measures_are_recorded(kind):
    check_summaries(kind, **MODULE)


def check_summaries(kind, **fields):
    registrar = Registrar("d", "1")
    register = getattr(registrar, kind)
    register("x", **fields, summary="Makes lively pictures.")
    register("y", **fields)
    assert [spec.summary for spec in registrar.specs] == ["Makes lively pictures.", ""]


def test_traits_of_a_sampler_are_recorded():
    registrar = Registrar("d", "1")
    registrar.sampler("x", factory="a:b", order=2, nfe_per_step=3)
    assert registrar.specs[0].traits == SamplerTraits(order=2, nfe_per_step=3)
    registrar.schedule("x", factory="a:b")
    assert registrar.specs[1].traits is None
    with pytest.raises(PluginError, match=r"'y': 'traits\.order': .*greater than or equal to 1"):
        registrar.sampler("y", factory="a:b", order=0)
    with pytest.raises(TypeError, match="'oder'"):
        registrar.sampler("y", factory="a:b", oder=2)  # type: ignore[call-arg]
