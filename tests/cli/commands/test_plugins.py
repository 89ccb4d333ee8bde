"""Listing and examining plugins, broken ones among them."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from latelier.kernel.trust.admission import State

GOOD = """
import latelier

class Plugin:
    @latelier.hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("{name}", factory="latelier_samplers.heun:heun")

plugin = Plugin()
"""

WICKED = {
    "raises": ("raise ValueError('out of sorts')", "import_error", "ValueError: out of sorts"),
    "exits": ("import sys; sys.exit(0)", "import_error", "SystemExit"),
    "vanishes": ("import os; os._exit(3)", "crashed", "exited with status 3"),
    "vanishes-quietly": ("import os; os._exit(0)", "crashed", "exited with status 0"),
    "ends-badly": (
        "import atexit, os; atexit.register(os._exit, 7)\n" + GOOD.format(name="ends_badly"),
        "crashed",
        "exited with status 7",
    ),
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
        .replace('"latelier_samplers.heun:heun")', '"latelier_samplers.heun:heun"); 1 / 0'),
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
            'sampler("x", factory="latelier_samplers.heun:heun"',
            'denoiser("x", factory="latelier_samplers.heun:heun", config="nowhere:Config"',
        ),
        "component_error",
        "nowhere:Config",
    ),
    "misspelt": (
        GOOD.format(name="misspelt").replace("heun:heun", "heun:huen"),
        "component_error",
        "component 'latelier-misspelt/misspelt': 'latelier_samplers.heun' has no 'huen'. Did you "
        "mean 'heun'?",
    ),
    "homeless": (
        GOOD.format(name="homeless").replace("latelier_samplers.heun", "latelier_samplers.nowhere"),
        "component_error",
        "component 'latelier-homeless/homeless': there is no module 'latelier_samplers.nowhere'",
    ),
    "slow": ("import time; time.sleep(0.3)\n" + GOOD.format(name="slow"), "slow_import", "0.25 s"),
    "outdated": (
        "from latelier.contracts.deprecation import Deprecation\n"
        "Deprecation('1.4', '1.6', 'no').warn('latelier-outdated:main', 'uses the name x')\n"
        + GOOD.format(name="outdated"),
        "deprecated",
        "plugin 'latelier-outdated:main' uses the name x, deprecated since latelier 1.4",
    ),
    "mumbles": (
        "import os; os.write(2, b'\\xff\\x00\\x1b[31m' * 50_000); os._exit(1)",
        "crashed",
        "exited with status 1: \ufffd\\x00\\x1b[31m",
    ),
    "escapes": ("raise ValueError('\\udcff')", "import_error", r"ValueError: \udcff"),
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
        assert state in STATES[finding["severity"]]
    assert found["latelier"]["state"] == "ok"
    assert done.status == 2


FIELDS = {
    "id": str,
    "distribution": str,
    "version": str,
    "state": str,
    "cause": str,
    "fix": str,
    "seconds": float,
    "components": list,
    "severity": int,
}
"""What programs rely on: a field may be added, none taken away or changed."""
METADATA = {"group": str, "entry_point": str}
STATES = {
    0: {"ok", "disabled"},
    1: {"slow_import", "collision", "deprecated"},
    2: {
        "incompatible_api",
        "changed_since_locked",
        "not_installed",
        "missing_dependency",
        "import_error",
        "invalid_hook",
        "registration_error",
        "component_error",
        "crashed",
        "timed_out",
    },
}
"""Severity -> states, as docs/cli.md has them."""


def assert_fields(row, fields):
    assert row.keys() >= fields.keys()
    for name, kind in fields.items():
        assert isinstance(row[name], kind), (name, row)


def test_the_fields_of_json_rows_are_stable(cli, install):
    install("latelier-broken", "1 / 0")
    install("latelier-fine", GOOD.format(name="fine"))
    names = ("latelier-broken", "latelier-fine")
    for row in json.loads(cli("plugins", "doctor", *names, "--json").out):
        assert_fields(row, FIELDS)
        assert set(row) == set(FIELDS)
    for row in json.loads(cli("plugins", "list", "--json").out):
        assert_fields(row, {k: FIELDS[k] for k in ("id", "version", "state", "cause", "fix")})
        assert_fields(row, METADATA)
    (row,) = json.loads(cli("plugins", "show", "latelier-fine", "--json").out)
    assert_fields(row, {**FIELDS, **METADATA, "requires": list})


def test_every_state_has_its_severity_and_a_line_in_the_docs():
    docs = Path(__file__).parents[3] / "docs" / "cli.md"
    table = {
        state: int(severity)
        for line in docs.read_text().splitlines()
        if (match := re.fullmatch(r"\| (`\w+`(?:, `\w+`)*) \|.*\| ([012]) \|", line))
        for states, severity in [match.groups()]
        for state in re.findall(r"`(\w+)`", states)
    }
    assert table == {state: severity for severity, states in STATES.items() for state in states}
    written = {state for states in STATES.values() for state in states}
    assert set(get_args(State)) <= written


def test_an_import_that_never_ends_is_timed_out(cli, install):
    install("latelier-endless", "while True: pass")
    began = time.monotonic()
    done = cli("plugins", "doctor", "latelier-endless", "--timeout", "1", "--json")
    (finding,) = json.loads(done.out)
    assert (finding["state"], finding["severity"], done.status) == ("timed_out", 2, 2)
    assert time.monotonic() - began < 10


FORKS = """
import os, time
child = os.fork()
if child == 0:
    time.sleep(600)
    os._exit(0)
open({path!r}, "w").write(str(child))
"""


def test_child_processes_of_a_plugin_end_with_its_examination(cli, install, tmp_path):
    path = tmp_path / "child"
    install("latelier-forks", FORKS.format(path=str(path)) + GOOD.format(name="forks"))
    (finding,) = json.loads(cli("plugins", "doctor", "latelier-forks", "--json").out)
    assert finding["state"] == "ok"
    assert ends(int(path.read_text()))


def ends(process):
    """Tell whether a process is gone in a moment, or waits for whoever takes over orphans."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_a_plugin_whose_process_goes_on_is_timed_out(cli, install):
    thread = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    install("latelier-goes-on", thread + GOOD.format(name="goes_on"))
    done = cli("plugins", "doctor", "latelier-goes-on", "--timeout", "6", "--json")
    (finding,) = json.loads(done.out)
    assert (finding["state"], finding["cause"]) == (
        "timed_out",
        "imported, but its process goes on after 6 s",
    )


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_examination_and_the_plugin(install, tmp_path):
    path = tmp_path / "process"
    install(
        "latelier-endless",
        f"""
import os, time
open({str(path)!r}, "w").write(str(os.getpid()))
while True:
    time.sleep(0.01)
""",
    )
    code = "from latelier.cli.main import main; main()"
    command = [sys.executable, "-c", code, "plugins", "doctor", "latelier-endless"]
    with subprocess.Popen([*command, "--timeout", "100"], stderr=subprocess.DEVNULL) as doctor:
        while not (path.exists() and path.read_text()):
            time.sleep(0.02)
        doctor.send_signal(signal.SIGINT)
        assert doctor.wait(20) == 130
    assert ends(int(path.read_text()))


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


def test_a_denied_plugin_is_neither_imported_nor_an_error(cli, install, monkeypatch):
    install("latelier-denied", "import os; os._exit(3)")
    monkeypatch.setenv("LATELIER_PLUGINS_DENY", "latelier_denied")
    done = cli("plugins", "doctor", "Latelier.Denied")
    assert done.status == 0
    assert "disabled" in done.out


def test_a_name_collision_is_a_warning_until_an_alias_resolves_it(
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


def test_show_lists_the_components_of_a_plugin(cli):
    done = cli("plugins", "show", "latelier:core", "--json")
    (row,) = json.loads(done.out)
    assert row["state"] == "ok"
    assert "denoiser:latelier/unet" in row["components"]
    assert any(each.startswith("torch") for each in row["requires"])
    text = cli("plugins", "show", "latelier").out
    assert "latelier:samplers" in text
    assert "sampler:latelier/ddim" in text


def test_show_finds_a_plugin_in_a_folder_of_another_name(cli, install):
    install("latelier-renamed", GOOD.format(name="renamed"))
    import latelier_renamed

    folder = Path(latelier_renamed.__file__).parent
    (folder / "latelier_renamed-1.0.dist-info").rename(folder / "other_name-1.0.dist-info")
    (row,) = json.loads(cli("plugins", "show", "latelier-renamed", "--json").out)
    assert (row["state"], row["requires"]) == ("ok", [])


@pytest.mark.parametrize("command", ["show", "doctor"])
def test_a_misspelt_plugin_gets_a_suggestion(cli, command):
    done = cli("plugins", command, "latelier:samplrs")
    assert done.status == 2
    assert "Did you mean 'latelier:samplers'" in done.err


def test_an_unreadable_config_file_is_an_error(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "latelier").mkdir()
    (tmp_path / "latelier" / "config.toml").write_text("[plugin]\n")
    done = cli("plugins", "list")
    assert done.status == 2
    assert "Did you mean 'plugins'" in done.err
