"""A plugin for an older minor works; one that this latelier cannot serve is refused."""

import inspect
import re
import sys
import types
import warnings
from pathlib import Path

import pytest

from latelier import __version__
from latelier.contracts.deprecation import Deprecation, PluginDeprecationWarning, deprecated_hook
from latelier.kernel import hookspecs
from latelier.kernel.atelier import Atelier
from latelier.kernel.dispatcher import HookDispatcher
from latelier.kernel.loader import PluginLoader, PluginReport
from latelier.kernel.registrar import Registrar
from latelier.kernel.trust.discovery import discover
from latelier.kernel.trust.entry_points import BUILT_IN, GROUP
from latelier.kernel.trust.policy import Policy

OLDER = Path(__file__).with_name("plugin_of_minor_0_1.py")


def installed(site, name="latelier-older", requires="latelier>=0.1", group=GROUP):
    """Install the plugin of the first minor."""
    site.publish(name, OLDER.read_text(), version="0.1", group=group)
    metadata = site.folder / f"{name}-0.1.dist-info" / "METADATA"
    metadata.write_text(f"{metadata.read_text()}Requires-Dist: {requires}\n")


def with_built_ins(site):
    """Return an atelier with latelier's own plugins and what is installed on the site."""
    own = [each for each in discover() if each.distribution == BUILT_IN]
    return Atelier(policy=Policy(), candidates=[*own, *site.candidates()], strict=True)


def test_an_older_plugin_generates_and_its_hooks_run(site, compose_tiny, tiny_changes):
    installed(site)
    name, unet = tiny_changes()["denoiser"]
    pipeline = compose_tiny(
        with_built_ins(site),
        denoiser=(name, {**unet, "streams": {"mood": {"width": 16}}, "vectors": {}}),
        conditioners={"mood": ("mood", {"width": 16})},
        inputs={"mood": "mood"},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginDeprecationWarning)
        (picture,) = pipeline.generate(
            mood=0.5, seed=1, steps=2, sampler="stride", guidance="halfway"
        )
    assert sys.modules["latelier_older"].plugin.events == [
        "composed",
        "before 1",
        "after 1: (1, 4, 8, 8)",
        "before 2",
        "after 2: (1, 4, 8, 8)",
        "1 pictures",
    ]
    record = picture.provenance["plugins"]["latelier-older"]
    assert record["parts"] == ["conditioners.mood", "sampler", "guidance"]
    assert record["version"] == "0.1"


@pytest.mark.parametrize(
    ("requires", "group", "state"),
    [
        ("latelier>=0.0.1", GROUP, "ok"),
        ("latelier", GROUP, "ok"),
        (f"latelier>={__version__}", GROUP, "ok"),
        (f"latelier~={__version__}", GROUP, "ok"),
        (f"latelier>{__version__}", GROUP, "incompatible_api"),
        ("latelier>=99.1", GROUP, "incompatible_api"),
        ("latelier", "latelier.v0", "incompatible_api"),
        ("latelier", "latelier.v2", "incompatible_api"),
        ("latelier>=99.1", "latelier.v2", "incompatible_api"),
    ],
)
def test_versions_decide_whether_a_plugin_loads(site, requires, group, state):
    installed(site, requires=requires, group=group)
    report = PluginLoader(list).load(site.candidates()[0], Policy())
    assert report.state == state, report.cause
    assert ("latelier_older" in sys.modules) == (state == "ok")
    assert ("pip install" in report.fix) == (state != "ok")


# A later minor: a hook with one more argument, another hook, a keyword with another name.

SOON = Deprecation(since="1.4", removal="1.6", instead="take `pictures`")


def next_hooks():
    later = types.ModuleType("later")
    vars(later).update({k: v for k, v in vars(hookspecs).items() if k.startswith("latelier_")})

    @hookspecs.hookspec
    def latelier_images_finished(run, pictures, seconds): ...

    @hookspecs.hookspec
    def latelier_everything_over(run): ...

    later.latelier_images_finished = latelier_images_finished
    later.latelier_everything_over = latelier_everything_over
    return later


class NextRegistrar(Registrar):
    def sampler(self, name, *, factory, defaults=None, cost="known", **traits):
        super().sampler(name, factory=factory, defaults=defaults, **traits)

    def schedule(self, name, *, factory, defaults=None, settings=None):
        if settings is not None:
            SOON.warn(self.plugin, "gives the keyword 'settings' to registrar.schedule")
        super().schedule(name, factory=factory, defaults=defaults or settings)


def next_loader(hooks=None, commit=list):
    return PluginLoader(commit, hooks or next_hooks(), NextRegistrar)


def test_an_older_plugin_loads_under_a_later_minor(site):
    installed(site)
    specs = []
    loader = next_loader(commit=specs.extend)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginDeprecationWarning)
        report = loader.load(site.candidates()[0], Policy())
    assert (report.state, len(report.components)) == ("ok", 4)
    dispatcher = HookDispatcher(loader.manager, strict=True)
    dispatcher.emit("latelier_images_finished", pictures=[1, 2], seconds=3.0)
    dispatcher.emit("latelier_everything_over")
    assert sys.modules["latelier_older"].plugin.events == ["2 pictures"]


def warnings_of(name, hooks=None, **methods):
    """Return the warnings about a plugin of these hook implementations, when it is loaded twice."""
    marked = {hook: hookspecs.hookimpl(method) for hook, method in methods.items()}
    messages = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            report = PluginReport(f"{name}:main", name, "1")
            assert next_loader(hooks).register(type("Late", (), marked)(), report).state == "ok"
        messages += [str(each.message) for each in caught]
    return messages


def test_a_deprecated_hook_warns_once_and_names_the_plugin():
    hooks = next_hooks()
    deprecated_hook(SOON)(hooks.latelier_everything_over)
    assert warnings_of("late-hook", hooks, latelier_everything_over=lambda self: None) == [
        "plugin 'late-hook:main' implements the hook 'latelier_everything_over', deprecated since "
        "latelier 1.4 and removed in 1.6: take `pictures`"
    ]
    assert warnings_of("late-hook", hooks, latelier_images_finished=lambda self: None) == []


def test_a_deprecated_keyword_works_and_warns_once():
    def latelier_register(self, registrar):
        registrar.schedule("one", factory="a:b", settings={"x": 1})
        registrar.schedule("two", factory="a:b", settings={"x": 2})
        registrar.schedule("three", factory="a:b", defaults={"x": 3})
        kept.extend(registrar.specs)

    kept = []
    assert warnings_of("late-keyword", latelier_register=latelier_register) == [
        "plugin 'late-keyword:main' gives the keyword 'settings' to registrar.schedule, "
        "deprecated since latelier 1.4 and removed in 1.6: take `pictures`"
    ]
    assert [spec.defaults for spec in kept[:3]] == [{"x": 1}, {"x": 2}, {"x": 3}]


def test_deprecation_warnings_can_be_made_errors():
    hooks = next_hooks()
    deprecated_hook(SOON)(hooks.latelier_everything_over)
    late = type("Late", (), {"latelier_everything_over": hookspecs.hookimpl(lambda self: None)})
    with warnings.catch_warnings():
        warnings.simplefilter("error", PluginDeprecationWarning)
        for _ in range(2):
            report = next_loader(hooks).register(late(), PluginReport("late:main", "late", "1"))
            assert report.state == "invalid_hook"
            assert "deprecated since" in report.cause


def test_the_docs_list_every_lifecycle_hook_with_its_arguments():
    docs = Path(__file__).parents[2] / "docs" / "plugin-api.md"
    rows = re.findall(r"^\| `(latelier_\w+)` \| (`[^|]*`) \|", docs.read_text(), re.MULTILINE)
    assert {hook: tuple(re.findall(r"`(\w+)`", names)) for hook, names in rows} == {
        name: tuple(inspect.signature(each).parameters)
        for name, each in vars(hookspecs).items()
        if name.startswith("latelier_") and name != "latelier_register"
    }


def test_nothing_is_deprecated_yet():
    """A reminder to write the first deprecation down in docs/plugin-api.md."""
    specifications = [v for k, v in vars(hookspecs).items() if k.startswith("latelier_")]
    assert len(specifications) == 7
    for each in specifications:
        assert "deprecation" not in vars(each)
