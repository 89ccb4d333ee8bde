"""A picture names the plugins that took part in it, and a replay compares them."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component
from latelier.contracts.errors import ModelFileError
from latelier.denoisers.adapter import ATTENTION_ID
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.discovery import discover
from latelier.kernel.trust.entry_points import BUILT_IN
from latelier.kernel.trust.policy import Policy
from latelier.pipeline.adapters import AdapterSource, AttachedAdapter
from latelier.pipeline.provenance import plugin_records
from latelier.pipeline.replay.replay import replay
from latelier.provenance.image_files import read_provenance

STRIDE = """
from itertools import pairwise
from latelier import Step, hookimpl

class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("stride", factory="latelier_stride:stride")

    @hookimpl
    def latelier_after_step(self, step): ...

def stride(denoise, x, grid, /, *, noise):
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        x = denoised + (x - denoised) * (to / sigma)
        yield Step(index, to, x, denoised)

plugin = Plugin()
"""
LISTENER = """
from latelier import hookimpl

class Plugin:
    @hookimpl
    def latelier_images_finished(self, pictures): ...

    @hookimpl
    def latelier_pipeline_composed(self, pipeline): ...

plugin = Plugin()
"""
BYSTANDER = """
from latelier import hookimpl

class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("unused", factory="nowhere:unused")

    @hookimpl
    def latelier_batch_trained(self, step): ...

plugin = Plugin()
"""


@pytest.fixture
def atelier(site):
    """What makes an atelier of latelier's own plugins and those on the site."""

    def made():
        own = [each for each in discover() if each.distribution == BUILT_IN]
        return Atelier(policy=Policy(), candidates=[*own, *site.candidates()])

    return made


@pytest.fixture
def picture(site, atelier, compose_tiny, tmp_path):
    """The path of a picture made with a plugin's sampler, with another plugin as observer."""
    site.publish("latelier-stride", STRIDE, version="1.2")
    site.publish("latelier-listener", LISTENER)
    site.publish("latelier-bystander", BYSTANDER)
    compose_tiny(atelier()).save(tmp_path / "model")
    from latelier.pipeline import load

    (made,) = load(tmp_path / "model", "cpu", atelier=atelier()).generate(
        prompt="a cat", seed=1, steps=2, sampler="latelier-stride/stride"
    )
    made.save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_provenance_names_version_files_parts_and_hooks(site, atelier, picture):
    message = read_provenance(picture)[1]["plugins"]
    here = atelier()
    assert message == {
        "latelier-listener": {
            "version": "1.0",
            "sha256": here.fingerprint("latelier-listener").sha256,
            "editable": False,
            "parts": [],
            "hooks": ["latelier_pipeline_composed", "latelier_images_finished"],
        },
        "latelier-stride": {
            "version": "1.2",
            "sha256": here.fingerprint("latelier-stride").sha256,
            "editable": False,
            "parts": ["sampler"],
            "hooks": ["latelier_after_step"],
        },
    }


def test_provenance_without_plugins_names_none(tiny):
    (made,) = tiny.generate(prompt="a cat", steps=1)
    assert made.provenance["plugins"] == {}


def test_the_plugin_of_an_adapter_is_recorded(tiny, built_ins):
    source = AdapterSource("latelier-palette/palette", Path(), "1.1")
    loaded = LoadedAdapter("palette", adapter_component(ATTENTION_ID, None))
    shipped = AttachedAdapter(loaded, source=source)
    saved = AttachedAdapter(loaded, source=source, saved=True)
    folder = AttachedAdapter(loaded, source=AdapterSource("/my/adapter", Path(), None))
    memory = AttachedAdapter(loaded)
    pipeline = SimpleNamespace(
        atelier=built_ins,
        components=tiny.components,
        adapters={"palette": shipped, "kept": saved, "mine": folder, "new": memory},
    )
    found = plugin_records(pipeline, {}, built_ins.dispatcher())
    assert {name: each["parts"] for name, each in found.items()} == {
        "latelier-palette": ["adapters.palette"]
    }


def test_a_plugin_object_has_no_files(built_ins, compose_tiny):
    here = Atelier(policy=Policy(allow=frozenset()))
    namespace = {}
    exec(LISTENER, namespace)
    here.register(namespace["plugin"], "mine", "3")
    (made,) = compose_tiny(here).generate(prompt="a cat", steps=1)
    message = made.provenance["plugins"]["mine"]
    assert (message["version"], message["sha256"], message["editable"]) == ("3", None, False)


def test_the_same_plugins_make_the_same_picture(atelier, picture):
    report = replay(picture, atelier=atelier())
    assert (report.verdict, report.differences) == ("identical", ())


def touch(site, name):
    path = site.folder / f"{name}.py"
    path.write_text(path.read_text() + "#")


def update(site, name, version):
    (info,) = site.folder.glob(f"{name}-*.dist-info")
    metadata = info / "METADATA"
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def remove(site, name):
    (info,) = site.folder.glob(f"{name}-*.dist-info")
    (info / "entry_points.txt").write_text("")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda site: touch(site, "latelier_stride"),
            "plugin 'latelier-stride' 1.2 has other files than when the picture was made",
        ),
        (
            lambda site: update(site, "latelier-stride", "1.3"),
            "plugin 'latelier-stride' was version 1.2, is 1.3: pip install 'latelier-stride==1.2'",
        ),
    ],
    ids=["files", "version"],
)
def test_another_plugin_is_refused_without_anyway(site, atelier, picture, change, message):
    change(site)
    with pytest.raises(ModelFileError, match="was made with other plugins") as refused:
        replay(picture, atelier=atelier())
    assert message in str(refused.value)
    report = replay(picture, atelier=atelier(), anyway=True)
    assert report.verdict == "identical"
    (line,) = report.differences
    assert line.startswith(message)


@pytest.mark.parametrize("anyway", [True, False])
def test_a_missing_plugin_is_refused_with_its_pip_command(site, atelier, picture, anyway):
    remove(site, "latelier-stride")
    with pytest.raises(ModelFileError, match="was made with plugins that are not here") as refused:
        replay(picture, atelier=atelier(), anyway=anyway)
    message = "plugin 'latelier-stride' 1.2 (sampler) is not installed: "
    assert f"{message}pip install 'latelier-stride==1.2'" in str(refused.value)


def test_a_plugin_that_failed_to_load_is_refused_with_its_cause(site, atelier, picture):
    (site.folder / "latelier_stride.py").write_text("1 / 0")
    del sys.modules["latelier_stride"]
    with pytest.raises(ModelFileError, match=r"is not loaded \(import_error\): ZeroDivisionError"):
        replay(picture, atelier=atelier())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda site: touch(site, "latelier_listener"), "has other files than when"),
        (lambda site: update(site, "latelier-listener", "2"), "was version 1.0, is 2"),
        (
            lambda site: remove(site, "latelier-listener"),
            "is not installed: pip install 'latelier-listener==1.0'; it only observed the run",
        ),
    ],
    ids=["files", "version", "missing"],
)
def test_a_changed_observer_is_reported_and_not_refused(site, atelier, picture, change, message):
    change(site)
    report = replay(picture, atelier=atelier())
    (line,) = report.differences
    assert "plugin 'latelier-listener'" in line
    assert message in line
    assert report.verdict == "identical"


def test_provenance_without_a_plugin_list_is_replayed(atelier, picture):
    from latelier.provenance.image_files import write_image

    image, provenance = read_provenance(picture)
    del provenance["plugins"]
    write_image(picture, image, provenance)
    assert replay(picture, atelier=atelier()).verdict == "identical"
    assert json.loads(json.dumps(provenance)) == provenance
