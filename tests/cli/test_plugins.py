"""Listing and examining plugins, broken ones among them."""

import json
import time

import pytest

GOOD = """
import latelier

class Plugin:
    @latelier.hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("{name}", factory="nowhere:nothing")

plugin = Plugin()
"""

WICKED = {
    "raises": ("raise ValueError('out of sorts')", "import_error", "ValueError: out of sorts"),
    "exits": ("import sys; sys.exit(0)", "import_error", "SystemExit"),
    "vanishes": ("import os; os._exit(3)", "crashed", "exited with status 3"),
    "vanishes-quietly": ("import os; os._exit(0)", "crashed", "exited with status 0"),
    "crashes": (
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "crashed",
        "was killed by signal 11",
    ),
    "interrupts": ("raise KeyboardInterrupt", "crashed", "KeyboardInterrupt"),
    "lacks": ("import no_such_module_at_all", "missing_dependency", "no_such_module_at_all"),
    "empty": ("plugin = None", "invalid_hook", "hook"),
    "half": (
        GOOD.format(name="half")
        .replace("plugin =", "    raise_ = 1\nplugin =")
        .replace('"nowhere:nothing")', '"nowhere:nothing"); 1 / 0'),
        "registration_error",
        "ZeroDivisionError",
    ),
    "heavy": (
        "import sys, types; sys.modules['torch'] = types.ModuleType('torch')\n"
        + GOOD.format(name="heavy"),
        "slow_import",
        "imports torch",
    ),
    "misdirected": (
        GOOD.format(name="x").replace(
            'sampler("x", factory="nowhere:nothing"',
            'denoiser("x", factory="nowhere:nothing", config="nowhere:Config"',
        ),
        "component_error",
        "nowhere:Config",
    ),
    "noisy": ("print('{')\n" + GOOD.format(name="noisy"), "ok", ""),
}


def test_the_doctor_names_state_cause_and_fix_of_each(cli, install):
    for name, (code, _, _) in WICKED.items():
        install(f"latelier-{name}", code)
    done = cli("plugins", "doctor", "--json")
    found = {each["distribution"]: each for each in json.loads(done.out)}
    for name, (_, state, cause) in WICKED.items():
        finding = found[f"latelier-{name}"]
        assert (finding["state"], cause in finding["cause"]) == (state, True), finding
        assert bool(finding["fix"]) == (state != "ok")
    assert found["latelier"]["state"] == "ok"
    assert done.status == 2


def test_a_plugin_that_never_ends_is_timed_out(cli, install):
    install("latelier-endless", "while True: pass")
    began = time.monotonic()
    done = cli("plugins", "doctor", "latelier-endless", "--timeout", "1", "--json")
    (finding,) = json.loads(done.out)
    assert (finding["state"], finding["severity"], done.status) == ("timed_out", 2, 2)
    assert time.monotonic() - began < 10


def test_a_plugin_of_a_later_api_is_refused_without_being_imported(cli, install):
    install("latelier-later", "import os; os._exit(3)", group="latelier.v2")
    (listed,) = [
        each
        for each in json.loads(cli("plugins", "list", "--json").out)
        if each["distribution"] == "latelier-later"
    ]
    assert listed["state"] == "incompatible_api"
    assert "pip install --upgrade latelier" in listed["fix"]
    done = cli("plugins", "doctor", "latelier-later")
    assert done.status == 2
    assert "incompatible_api" in done.out
    assert "pip install --upgrade latelier" in done.out


def test_a_denied_plugin_is_not_imported_and_no_fault(cli, install, monkeypatch):
    install("latelier-denied", "import os; os._exit(3)")
    monkeypatch.setenv("LATELIER_PLUGINS_DENY", "latelier_denied")
    done = cli("plugins", "doctor", "Latelier.Denied")
    assert done.status == 0
    assert "disabled" in done.out


def test_a_name_with_two_owners_is_a_warning_until_an_alias_settles_it(
    cli, install, monkeypatch, tmp_path
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for owner in ("latelier-one", "latelier-two"):
        install(owner, GOOD.format(name="both"))
    names = ("latelier-one", "latelier-two")
    done = cli("plugins", "doctor", *names, "--json")
    findings = json.loads(done.out)
    assert [each["state"] for each in findings] == ["collision", "collision"]
    assert "latelier-one/both and latelier-two/both" in findings[0]["cause"]
    assert done.status == 1
    (tmp_path / "latelier").mkdir()
    (tmp_path / "latelier" / "config.toml").write_text(
        '[aliases]\n"sampler.both" = "latelier-one/both"\n'
    )
    assert cli("plugins", "doctor", *names).status == 0


def test_showing_a_plugin(cli):
    done = cli("plugins", "show", "latelier:core", "--json")
    (row,) = json.loads(done.out)
    assert row["state"] == "ok"
    assert "denoiser:latelier/unet" in row["components"]
    assert any(each.startswith("torch") for each in row["requires"])
    text = cli("plugins", "show", "latelier").out
    assert "latelier:samplers" in text
    assert "sampler:latelier/ddim" in text


@pytest.mark.parametrize("command", ["show", "doctor"])
def test_a_misspelt_plugin(cli, command):
    done = cli("plugins", command, "latelier:samplrs")
    assert done.status == 2
    assert "Did you mean 'latelier:samplers'" in done.err


def test_a_config_file_that_cannot_be_read(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "latelier").mkdir()
    (tmp_path / "latelier" / "config.toml").write_text("[plugin]\n")
    done = cli("plugins", "list")
    assert done.status == 2
    assert "Did you mean 'plugins'" in done.err
