"""Disabling and enabling plugins, which works whatever they do when they are imported."""

import json

import pytest

ENDS_THE_PROCESS = "import os; os._exit(3)"
NEVER_ENDS = "while True: pass"


@pytest.fixture(autouse=True)
def config(monkeypatch, tmp_path_factory):
    """The path of a config.toml that is not there yet."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    return home / "latelier" / "config.toml"


@pytest.fixture
def wicked(install):
    install("latelier-ends", ENDS_THE_PROCESS)
    install("latelier-endless", NEVER_ENDS)


def states(cli):
    rows = json.loads(cli("plugins", "list", "--json").out)
    return {row["id"]: row["state"] for row in rows if not row["id"].startswith("latelier:")}


def test_a_plugin_that_kills_the_host_is_listed_disabled_and_enabled(cli, wicked, config):
    assert states(cli) == {"latelier-endless:main": "installed", "latelier-ends:main": "installed"}
    done = cli("plugins", "disable", "Latelier_Ends", "latelier-endless:main")
    assert done.status == 0
    assert done.out == "latelier-endless:main: disabled\nlatelier-ends:main: disabled\n"
    assert config.read_text() == '[plugins]\ndeny = ["latelier-ends", "latelier-endless:main"]\n'
    assert set(states(cli).values()) == {"disabled"}
    assert cli("plugins", "doctor", "latelier-ends", "latelier-endless").status == 0
    assert cli("generate", "--help").status == 0
    done = cli("plugins", "enable", "latelier-ends", "--json")
    (row,) = json.loads(done.out)
    assert (done.status, row["id"], row["state"]) == (0, "latelier-ends:main", "installed")
    assert states(cli)["latelier-endless:main"] == "disabled"


def test_the_doctor_names_the_repair_command(cli, wicked):
    done = cli("plugins", "doctor", "--json", "--timeout", "2", "latelier-ends", "latelier-endless")
    found = {each["id"]: each for each in json.loads(done.out)}
    for id_, state in (("latelier-ends:main", "crashed"), ("latelier-endless:main", "timed_out")):
        assert found[id_]["state"] == state
        assert found[id_]["fix"].startswith(
            f"`latelier plugins disable {id_}` makes latelier run without it"
        )


def test_a_disabled_plugin_has_a_row(cli, wicked):
    cli("plugins", "disable", "latelier-ends")
    rows = json.loads(cli("plugins", "list", "--json").out)
    (row,) = [each for each in rows if each["state"] == "disabled"]
    assert row["cause"] == "denied by name (latelier-ends)"
    assert row["fix"] == "`latelier plugins enable latelier-ends`"


@pytest.mark.parametrize("command", ["enable", "disable"])
def test_an_unknown_name_changes_nothing(cli, wicked, config, command):
    done = cli("plugins", command, "latelier-endless", "latelier-edns")
    assert done.status == 2
    assert "no plugin 'latelier-edns' is installed. Did you mean 'latelier-ends'?" in done.err
    assert not config.exists()


def test_a_removed_plugin_can_be_enabled(cli, config):
    config.parent.mkdir()
    config.write_text('[plugins]\ndeny = ["gone"]\n')
    assert cli("plugins", "enable", "gone").status == 0
    assert config.read_text() == "[plugins]\ndeny = []\n"


@pytest.mark.parametrize("command", ["enable", "disable"])
@pytest.mark.parametrize("lists", ["deny = [1]", "deny = 'gone'", "allow = {}"])
def test_a_file_with_invalid_lists_is_an_error(cli, wicked, config, command, lists):
    config.parent.mkdir()
    config.write_text(f"[plugins]\n{lists}\n")
    done = cli("plugins", command, "latelier-ends")
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"error: {config}: allow and deny are lists of names, not ")


def test_the_built_ins_cannot_be_disabled(cli, config):
    done = cli("plugins", "disable", "latelier:core")
    assert done.status == 2
    assert "the plugins of latelier itself cannot be disabled" in done.err
    assert not config.exists()


@pytest.mark.parametrize(
    ("command", "variable", "value", "message"),
    [
        (
            "enable",
            "LATELIER_PLUGINS_DENY",
            "latelier-ends",
            "stays disabled: denied by name (latelier-ends); take it off LATELIER_PLUGINS_DENY",
        ),
        (
            "enable",
            "LATELIER_PLUGINS_ALLOW",
            "other",
            "stays disabled: not on the allow list; put it on LATELIER_PLUGINS_ALLOW",
        ),
        (
            "disable",
            "LATELIER_PLUGINS_DENY",
            "other",
            "stays enabled: LATELIER_PLUGINS_DENY overrides config.toml; add the name there",
        ),
    ],
)
def test_an_override_by_the_environment_gets_a_warning(
    cli, wicked, monkeypatch, command, variable, value, message
):
    monkeypatch.setenv(variable, value)
    done = cli("plugins", command, "latelier-ends")
    assert (done.status, done.out) == (1, "")
    assert done.err == f"warning: latelier-ends:main {message}\n"


def test_an_incompatible_plugin_is_disabled_and_enabled(cli, install):
    install("latelier-tomorrow", ENDS_THE_PROCESS, group="latelier.v9")
    assert states(cli) == {"latelier-tomorrow:main": "incompatible_api"}
    done = cli("plugins", "disable", "latelier-tomorrow")
    assert (done.status, done.out) == (0, "latelier-tomorrow:main: disabled\n")
    done = cli("plugins", "enable", "latelier-tomorrow")
    assert (done.status, done.out) == (0, "latelier-tomorrow:main: incompatible_api\n")


def test_an_entry_of_a_denied_distribution_names_the_distribution(cli, wicked):
    cli("plugins", "disable", "latelier-ends")
    done = cli("plugins", "enable", "latelier-ends:main")
    assert done.status == 1
    assert "`latelier plugins enable latelier-ends`" in done.err


def test_an_allow_list_is_extended(cli, wicked, config):
    config.parent.mkdir()
    config.write_text('[plugins]\nallow = ["other"]\n')
    assert states(cli)["latelier-ends:main"] == "disabled"
    assert cli("plugins", "enable", "latelier-ends").status == 0
    assert config.read_text() == '[plugins]\nallow = ["other", "latelier-ends"]\n'


def test_a_name_is_required(cli):
    assert cli("plugins", "disable").status == 2
    assert cli("plugins", "enable").status == 2
