"""Loading: a plugin that fails does so alone, and its report says how to fix it."""

import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import pytest

from latelier import hookimpl
from latelier.contracts.errors import AmbiguousNameError, PluginError, UnknownNameError
from latelier.kernel.atelier import Atelier
from latelier.kernel.loader import PluginLoadError
from latelier.kernel.trust.policy import Policy

REGISTER = """
from latelier import hookimpl

class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
{body}

plugin = Plugin()
"""


def registering(*lines: str) -> str:
    return REGISTER.format(body=indent("\n".join(lines), " " * 8))


SAMPLER = 'registrar.sampler("{}", factory="a:b")'

MISSPELT = """
from latelier import hookimpl

class Plugin:
    @hookimpl
    def latelier_regster(self, registrar): ...

plugin = Plugin()
"""
WRONG_ARGUMENT = MISSPELT.replace("regster(self, registrar)", "register(self, registry)")
WRAPPER = """
from latelier import hookimpl

class Plugin:
    @hookimpl(wrapper=True)
    def latelier_before_step(self, step):
        return (yield)

plugin = Plugin()
"""
NO_HOOKS = MISSPELT.replace("    @hookimpl\n", "")


@dataclass(frozen=True)
class Case:
    code: str
    state: str
    cause: str
    fix: str = "`latelier plugins disable latelier-broken:main`"


CASES = {
    "import error": Case("1 / 0", "import_error", "ZeroDivisionError: division by zero"),
    "syntax error": Case("def", "import_error", "SyntaxError"),
    "SystemExit at import": Case("raise SystemExit(3)", "import_error", "SystemExit: 3"),
    "panic at import": Case(
        "class Panic(BaseException): ...\nraise Panic('no luck')", "import_error", "Panic: no luck"
    ),
    "an error without a message": Case(
        "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\nraise Mute",
        "import_error",
        "Mute: its message cannot be read",
    ),
    "missing dependency": Case(
        "import nowhere.at_all",
        "missing_dependency",
        "requires the module 'nowhere', which is not installed",
        "pip install --upgrade latelier-broken",
    ),
    "newer API": Case(
        "import latelier.not_there",
        "missing_dependency",
        "requires the module 'latelier.not_there'",
        "pip install --upgrade latelier-broken",
    ),
    "own module missing": Case(
        "import latelier_broken.nothing",
        "import_error",
        "No module named 'latelier_broken.nothing'",
    ),
    "no such attribute": Case("other = 1", "import_error", "has no attribute 'plugin'"),
    "raises half-way": Case(
        registering(SAMPLER.format("half"), "raise RuntimeError('no\\nluck')"),
        "registration_error",
        "RuntimeError: no luck",
        "report it to the author of latelier-broken",
    ),
    "exits half-way": Case(
        registering(SAMPLER.format("half"), "raise SystemExit"), "registration_error", "SystemExit"
    ),
    "panics half-way": Case(
        registering(
            SAMPLER.format("half"), "class Panic(BaseException): ...", "raise Panic('no luck')"
        ),
        "registration_error",
        "Panic: no luck",
    ),
    "misspelt hook": Case(
        MISSPELT,
        "invalid_hook",
        "there is no hook 'latelier_regster'. Did you mean 'latelier_register'?",
    ),
    "wrong argument": Case(WRONG_ARGUMENT, "invalid_hook", "registry"),
    "no hooks": Case(NO_HOOKS, "invalid_hook", "implements no hook"),
    "wrapper": Case(WRAPPER, "invalid_hook", "'latelier_before_step' is marked as a wrapper"),
    "asynchronous": Case(
        registering(SAMPLER.format("half")).replace("def ", "async def "),
        "invalid_hook",
        "'latelier_register' is asynchronous or has a `yield`",
    ),
    "generator": Case(
        registering(SAMPLER.format("half"), "yield"),
        "invalid_hook",
        "'latelier_register' is asynchronous or has a `yield`",
    ),
    "bad import string": Case(
        registering(SAMPLER.format("half"), 'registrar.sampler("b", factory="a.b")'),
        "registration_error",
        "sampler 'b': 'factory': an import string looks like 'package.module:attribute' "
        "(given: 'a.b')",
    ),
    "bad component name": Case(
        registering(SAMPLER.format("half"), SAMPLER.format("Big Name")),
        "registration_error",
        "sampler 'Big Name': 'name': a name is lower-case letters, digits and underscores",
    ),
    "duplicate in one plugin": Case(
        registering(SAMPLER.format("half"), SAMPLER.format("half")),
        "registration_error",
        "sampler 'half' is registered twice",
    ),
    "unhashable plugin": Case(
        registering(SAMPLER.format("half")) + "Plugin.__hash__ = None",
        "registration_error",
        "unhashable type",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_broken_plugin_does_not_affect_others(site, publish_healthy, caplog, case):
    publish_healthy("a-healthy", "first")
    site.publish("latelier-broken", case.code)
    publish_healthy("z-healthy", "last")
    with caplog.at_level(logging.WARNING, "latelier"):
        atelier = site.atelier()
    assert atelier.samplers.names() == ["first", "last"]
    states = {report.id: report.state for report in atelier.plugins}
    assert states == {
        "a-healthy:main": "ok",
        "latelier-broken:main": case.state,
        "z-healthy:main": "ok",
    }
    report = atelier.plugins[1]
    assert case.cause in report.cause
    assert case.fix in report.fix
    assert "\n" not in report.cause
    assert report.components == ()
    with pytest.raises(UnknownNameError) as unknown:
        atelier.samplers.spec("latelier-broken/half")
    for text in ("latelier-broken:main", case.cause.removesuffix("."), case.fix):
        assert text in caplog.text
        assert text in str(unknown.value)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_strict_mode_raises_for_a_broken_plugin(site, case):
    site.publish("latelier-broken", case.code)
    with pytest.raises(PluginError, match="plugin 'latelier-broken:main' is not loaded"):
        site.atelier(strict=True)


def test_a_broken_plugin_leaves_no_lifecycle_hook_behind(site):
    hook = "    @hookimpl\n    def latelier_images_finished(self, pictures): raise ValueError\n\n"
    code = registering("raise RuntimeError").replace("\nplugin =", f"{hook}\nplugin =")
    site.publish("latelier-broken", code)
    dispatcher = site.atelier().dispatcher()
    dispatcher.emit("latelier_images_finished", pictures=())
    assert dispatcher.quarantined == {}


def test_an_interrupt_propagates_and_names_the_plugin(site, caplog):
    site.publish("latelier-slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        site.atelier()
    assert "interrupted while plugin 'latelier-slow:main' was imported" in caplog.text
    assert "`latelier plugins disable latelier-slow:main`" in caplog.text


def test_an_interrupt_during_registration_leaves_nothing_behind():
    class Interrupted(Local):
        @hookimpl
        def latelier_register(self, registrar):
            registrar.sampler("mine", factory="a:b")
            raise KeyboardInterrupt

        @hookimpl
        def latelier_images_finished(self, pictures):
            raise AssertionError

    atelier = Atelier(policy=Policy(), candidates=[], strict=True)
    with pytest.raises(KeyboardInterrupt):
        atelier.register(Interrupted())
    assert atelier.samplers.names() == []
    atelier.dispatcher().emit("latelier_images_finished", pictures=())
    atelier.register(Local(), "local")
    assert atelier.samplers.names() == ["mine"]


def test_output_of_a_plugin_goes_to_standard_error(site, capsys):
    code = registering("print('registering')", SAMPLER.format("a"))
    site.publish("latelier-prints", f"print('welcome')\n{code}")
    assert site.atelier().samplers.names() == ["a"]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "welcome\nregistering\n"
    sys.stdout.write("the host's own")
    assert capsys.readouterr().out == "the host's own"


@pytest.mark.parametrize("then", ["", "\n1 / 0"])
def test_a_change_of_the_working_directory_is_undone(site, monkeypatch, tmp_path, caplog, then):
    monkeypatch.chdir(tmp_path)
    move = "import os; os.chdir('/')"
    site.publish("latelier-moves", f"{move}{then}\n" + registering(move, SAMPLER.format("a")))
    site.atelier()
    assert Path.cwd() == tmp_path
    assert "plugin 'latelier-moves:main' changed the working directory" in caplog.text


@pytest.fixture
def interruptible():
    """A process that an interrupt reaches, whatever started the tests."""
    former = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.mark.usefixtures("interruptible")
def test_a_changed_interrupt_handler_is_restored(site, caplog):
    before = signal.getsignal(signal.SIGINT)
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    site.publish("latelier-stubborn", f"{ignore}\n" + registering(ignore, SAMPLER.format("a")))
    assert site.atelier().samplers.names() == ["a"]
    assert signal.getsignal(signal.SIGINT) == before
    assert caplog.text.count("plugin 'latelier-stubborn:main' changed the handler") == 2


@pytest.mark.parametrize("then", ["", "\n1 / 0"])
def test_a_changed_umask_is_restored(site, caplog, then):
    change = "import os; os.umask(0)"
    site.publish("latelier-open", f"{change}{then}\n" + registering(change, SAMPLER.format("a")))
    before = os.umask(0o027)
    try:
        site.atelier()
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert caplog.text.count("plugin 'latelier-open:main' changed the umask") == 1 + (not then)


@pytest.mark.parametrize("then", ["", "\n1 / 0"])
def test_removed_environment_variables_are_restored(site, monkeypatch, caplog, then):
    monkeypatch.setenv("LATELIER_TEST_KEPT", "kept")
    monkeypatch.setenv("LATELIER_TEST_ADDED", "")
    change = "import os; os.environ.clear(); os.environ['LATELIER_TEST_ADDED'] = 'added'"
    site.publish("latelier-clears", f"{change}{then}\n" + registering(change, SAMPLER.format("a")))
    before = set(os.environ)
    site.atelier()
    assert set(os.environ) == before
    assert os.environ["LATELIER_TEST_KEPT"] == "kept"
    assert os.environ["LATELIER_TEST_ADDED"] == "added"
    assert "plugin 'latelier-clears:main' removed environment variables" in caplog.text


def test_errors_chain_their_cause(site):
    site.publish("latelier-broken", "1 / 0")
    with pytest.raises(PluginLoadError) as caught:
        site.atelier(strict=True)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.report.state == "import_error"


def test_an_optional_hook_of_a_later_minor_is_allowed(site):
    hook = "    @hookimpl(optionalhook=True)\n    def latelier_tomorrow(self, x): ...\n\n"
    code = registering(SAMPLER.format("early")).replace("plugin =", f"{hook}plugin =")
    site.publish("latelier-early", code)
    assert site.atelier(strict=True).samplers.names() == ["early"]


def test_a_broken_built_in_is_always_an_error(site):
    site.publish("latelier", "1 / 0", module="built_in")
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        site.atelier()


@pytest.mark.parametrize("order", [("one", "two"), ("two", "one")])
def test_a_name_claimed_by_two_plugins_is_reported(site, publish_healthy, order):
    for distribution in order:
        publish_healthy(distribution, "shared")
    publish_healthy("other", "alone")
    candidates = sorted(site.candidates(), key=lambda each: order[0] not in each.id)
    samplers = Atelier(policy=Policy(), candidates=candidates).samplers
    assert samplers.names() == ["alone", "one/shared", "two/shared"]
    with pytest.raises(AmbiguousNameError) as caught:
        samplers.spec("shared")
    assert "use 'one/shared' or 'two/shared'" in str(caught.value)
    assert '"sampler.shared" = "one/shared"' in str(caught.value)
    assert samplers.spec("two/shared").distribution == "two"


def test_an_alias_resolves_a_collision(site, publish_healthy):
    publish_healthy("one", "shared")
    publish_healthy("two", "shared")
    policy = Policy(aliases={"sampler.shared": "two/shared"})
    assert site.atelier(policy).samplers.spec("shared").id == "two/shared"


@pytest.mark.parametrize(
    ("group", "fix"),
    [
        ("latelier.v2", "pip install --upgrade latelier, or an older latelier-other"),
        ("latelier.v0", "pip install --upgrade latelier-other"),
        ("latelier.vnext", "pip install --upgrade latelier-other"),
    ],
)
def test_another_api_version_is_refused_without_an_import(site, publish_healthy, group, fix):
    site.publish("latelier-other", registering(SAMPLER.format("other")), group=group)
    publish_healthy()
    atelier = site.atelier()
    assert "latelier_other" not in sys.modules
    assert atelier.samplers.names() == ["healthy"]
    report = next(each for each in atelier.plugins if each.distribution == "latelier-other")
    assert report.state == "incompatible_api"
    assert report.cause == f"requires the plugin API '{group}', this latelier offers 'latelier.v1'"
    assert report.fix == fix


@pytest.mark.parametrize(
    ("policy", "cause"),
    [
        (Policy(deny=frozenset({"latelier-other"})), "denied by name (latelier-other)"),
        (Policy(deny=frozenset({"latelier-other:main"})), "denied by name (latelier-other:main)"),
        (Policy(allow=frozenset({"latelier-healthy"})), "not on the allow list"),
        (
            Policy(
                allow=frozenset({"latelier-healthy", "latelier-other"}),
                deny=frozenset({"latelier-other"}),
            ),
            "denied by name (latelier-other)",
        ),
    ],
)
def test_a_blocked_plugin_is_not_imported(site, publish_healthy, caplog, policy, cause):
    site.publish("latelier-other", registering(SAMPLER.format("other")))
    publish_healthy()
    atelier = site.atelier(policy, strict=True)  # a refusal is not a fault
    assert "latelier_other" not in sys.modules
    assert atelier.samplers.names() == ["healthy"]
    report = next(each for each in atelier.plugins if each.distribution == "latelier-other")
    assert (report.state, report.cause) == ("disabled", cause)
    assert report.fix.startswith("`latelier plugins enable latelier-other")
    assert caplog.text == ""


def test_one_entry_of_a_distribution_may_be_denied(site):
    both = registering(SAMPLER.format("{}"))
    site.publish(
        "two-entries",
        both.format("a") + both.replace("plugin =", "other =").format("b"),
        entries={"one": "two_entries:plugin", "two": "two_entries:other"},
    )
    atelier = site.atelier(Policy(deny=frozenset({"two-entries:one"})))
    assert atelier.samplers.names() == ["b"]


def test_one_object_under_two_entries_registers_once(site):
    site.publish(
        "two-entries",
        registering(SAMPLER.format("a")),
        entries={"one": "two_entries:plugin", "two": "two_entries:plugin"},
    )
    atelier = site.atelier()
    assert [each.state for each in atelier.plugins] == ["ok", "registration_error"]
    assert "registered already" in atelier.plugins[1].cause
    assert atelier.samplers.names() == ["a"]


def test_one_id_claimed_by_two_entries_is_an_error(site):
    code = registering(SAMPLER.format("a"))
    site.publish(
        "two-entries",
        code + code.replace("plugin =", "other ="),
        entries={"one": "two_entries:plugin", "two": "two_entries:other"},
    )
    atelier = site.atelier()
    assert [each.state for each in atelier.plugins] == ["ok", "registration_error"]
    assert "sampler 'two-entries/a' is registered already" in atelier.plugins[1].cause


def test_components_are_reported_with_time(site, publish_healthy):
    publish_healthy()
    report = site.atelier().plugins[0]
    assert report.components == ("sampler:latelier-healthy/healthy",)
    assert report.version == "1.0"
    assert 0 < report.seconds < 10


def test_an_invalid_import_string_is_an_error_when_it_is_resolved(site):
    lines = ['registrar.sampler("gone", factory="nowhere:gone")', SAMPLER.format("b")]
    site.publish("latelier-lazy", registering(*lines))
    atelier = site.atelier()
    assert atelier.plugins[0].state == "ok"
    message = "'latelier-lazy/gone' cannot be loaded: 'nowhere:gone' raised ModuleNotFoundError"
    with pytest.raises(PluginError, match=message):
        atelier.samplers.get("gone")


class Local:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("mine", factory="a:b")

    @hookimpl
    def latelier_images_finished(self, pictures):
        pass


def test_a_plugin_object_is_registered_without_an_entry_point():
    atelier = Atelier(policy=Policy(), candidates=[])
    atelier.register(Local(), "My_Things", "3")
    assert atelier.samplers.spec("mine").id == "my-things/mine"
    assert [report.id for report in atelier.plugins] == ["my-things:Local"]
    with pytest.raises(PluginError, match="'my-things:Local' is not loaded"):
        atelier.register(Local(), "My_Things")
    assert len(atelier.plugins) == 1
    assert len(atelier.dispatcher().implementations("latelier_images_finished")) == 1


def test_a_failing_plugin_object_registers_nothing():
    class Fails(Local):
        @hookimpl
        def latelier_register(self, registrar):
            registrar.sampler("mine", factory="a:b")
            raise ValueError("no")

    atelier = Atelier(policy=Policy(), candidates=[])
    with pytest.raises(PluginError, match="ValueError: no"):
        atelier.register(Fails())
    assert atelier.plugins == []
    with pytest.raises(UnknownNameError):
        atelier.samplers.spec("mine")
