"""`latelier plugins lock`, and the report of a plugin that differs from its lock."""

import json
import sys

import pytest

GOOD = """
import latelier

class Plugin:
    @latelier.hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("{name}", factory="latelier_samplers.heun:heun")

plugin = Plugin()
"""


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path_factory):
    """The folder of a config.toml that is not there yet."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.delenv("LATELIER_LOCK", raising=False)
    (home / "latelier").mkdir()
    return home / "latelier"


@pytest.fixture
def plugins(install):
    for name in ("latelier-one", "latelier-two"):
        install(name, GOOD.format(name=name[9:]))


def module(name):
    import importlib.util

    return importlib.util.find_spec(name).origin


def change(name):
    with open(module(name), "a") as file:  # noqa: PTH123
        file.write("#")


def finding(cli, name):
    done = cli("plugins", "doctor", name, "--json")
    (found,) = json.loads(done.out)
    return done.status, found


def test_a_lock_names_each_plugin_with_version_and_hash(cli, plugins, tmp_path):
    done = cli("plugins", "lock", "--json")
    assert done.status == 0
    rows = json.loads(done.out)
    assert [row["distribution"] for row in rows] == ["latelier-one", "latelier-two"]
    assert [(row["version"], row["files"], row["editable"]) for row in rows] == [
        ("1.0", 2, False),
        ("1.0", 2, False),
    ]
    assert done.err == f"LATELIER_LOCK={tmp_path / 'latelier.lock'} puts it in force\n"
    text = cli("plugins", "lock").out
    assert f"no        {rows[0]['sha256']}" in text


def test_one_changed_byte_is_refused_before_anything_is_imported(
    cli, plugins, tmp_path, monkeypatch
):
    cli("plugins", "lock")
    monkeypatch.setenv("LATELIER_LOCK", "latelier.lock")
    assert finding(cli, "latelier-one")[1]["state"] == "ok"
    change("latelier_one")
    status, found = finding(cli, "latelier-one")
    assert (status, found["state"], found["severity"]) == (2, "changed_since_locked", 2)
    assert found["cause"] == "'latelier_one.py' was changed, since it was locked"
    assert "`latelier plugins lock --output latelier.lock`" in found["fix"]
    rows = {row["id"]: row for row in json.loads(cli("plugins", "list", "--json").out)}
    assert rows["latelier-one:main"]["state"] == "changed_since_locked"
    assert rows["latelier-two:main"]["state"] == "installed"
    assert "latelier_one" not in sys.modules
    cli("plugins", "lock")
    assert finding(cli, "latelier-one")[1]["state"] == "ok"


def test_the_configuration_can_name_a_lock(cli, plugins, home, install):
    (home / "config.toml").write_text('[plugins]\nlock = "mine.lock"\n')
    done = cli("plugins", "lock", "--json")
    assert (done.status, done.err) == (0, "")
    assert (home / "mine.lock").exists()
    install("latelier-new", GOOD.format(name="new"))
    status, found = finding(cli, "latelier-new")
    assert (status, found["state"], found["cause"]) == (
        2,
        "changed_since_locked",
        "is not in the lock",
    )


def test_a_locked_plugin_that_is_not_installed_has_a_row(cli, plugins, tmp_path, monkeypatch):
    cli("plugins", "lock")
    locked = json.loads((tmp_path / "latelier.lock").read_text())
    locked["plugins"]["latelier-lost"] = locked["plugins"]["latelier-one"]
    (tmp_path / "latelier.lock").write_text(json.dumps(locked))
    monkeypatch.setenv("LATELIER_LOCK", "latelier.lock")
    done = cli("plugins", "doctor", "--json")
    (row,) = [each for each in json.loads(done.out) if each["id"] == "latelier-lost"]
    assert (done.status, row["state"], row["version"]) == (2, "not_installed", "1.0")
    assert "pip install 'latelier-lost==1.0'" in row["fix"]


def test_an_unreadable_plugin_is_named(cli, plugins, monkeypatch, tmp_path):
    def refused(_):
        raise PermissionError(13, "Permission denied", "some/file.py")

    monkeypatch.setattr("latelier.kernel.trust.lock.fingerprint", refused)
    done = cli("plugins", "lock")
    assert done.status == 2
    assert "the files of latelier-one cannot be read: " in done.err
    assert not (tmp_path / "latelier.lock").exists()


def test_disabled_plugins_are_not_locked(cli, plugins, tmp_path):
    cli("plugins", "disable", "latelier-two")
    cli("plugins", "lock")
    assert list(json.loads((tmp_path / "latelier.lock").read_text())["plugins"]) == ["latelier-one"]


def test_a_file_that_is_not_a_lock_is_not_replaced(cli, plugins, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = cli("plugins", "lock", "-o", "notes.txt")
    assert done.status == 2
    assert "invalid lock" in done.err
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_unwritable_lock_is_an_error(cli, plugins, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for output, message in (
        ("folder", "error: folder: cannot be read: Is a directory\n"),
        ("file/a.lock", "error: file/a.lock: cannot be written: File exists\n"),
    ):
        done = cli("plugins", "lock", "-o", output)
        assert (done.status, done.out, done.err) == (2, "", message)


def test_a_missing_lock_blocks_every_import(cli, plugins, monkeypatch):
    monkeypatch.setenv("LATELIER_LOCK", "nowhere.lock")
    for command in (["plugins", "list"], ["plugins", "doctor"]):
        done = cli(*command)
        assert done.status == 2
        assert "nowhere.lock: lock not found" in done.err
    assert cli("plugins", "lock").status == 0
    assert cli("plugins", "list").status == 0
