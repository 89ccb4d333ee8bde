"""The lock: a plugin that differs from it is not imported."""

import json
import shutil
import sys

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.kernel.trust.lock import fingerprint_all, read_lock, write_lock
from latelier.kernel.trust.policy import Policy

CODE = """
from latelier import hookimpl

class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("locked", factory="a:b")

plugin = Plugin()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "latelier.lock"


@pytest.fixture
def policy(site, path):
    """A policy whose lock holds latelier-locked, as it is installed now."""
    site.publish("latelier-locked", CODE)
    write(site, path)
    return Policy(lock=path)


def write(site, path):
    installed = {each.distribution: each.entry_point.dist for each in site.candidates()}
    write_lock(path, fingerprint_all(installed))


def refuse(site, policy):
    """Return the report of the only plugin, which must not have been imported."""
    atelier = site.atelier(policy)
    assert "latelier_locked" not in sys.modules
    assert atelier.samplers.names() == []
    (report,) = atelier.plugins
    assert report.state == "changed_since_locked"
    return report


def test_an_unchanged_plugin_loads(site, policy):
    assert site.atelier(policy, strict=True).samplers.names() == ["locked"]


def test_a_lock_is_read_back(site, path, policy):
    found = read_lock(path)
    assert list(found) == ["latelier-locked"]
    assert found["latelier-locked"].version == "1.0"
    assert found["latelier-locked"].files.keys() == {"entry_points.txt", "latelier_locked.py"}
    assert json.loads(path.read_text())["lock"] == 1


def test_one_changed_byte_is_refused_and_the_file_named(site, policy):
    module = site.folder / "latelier_locked.py"
    module.write_text(module.read_text() + "#")
    report = refuse(site, policy)
    assert report.cause == "'latelier_locked.py' was changed, since it was locked"
    assert f"`latelier plugins lock --output {policy.lock}`" in report.fix


def test_an_added_file_is_refused(site, policy):
    (site.folder / "latelier_locked").mkdir()
    shutil.move(site.folder / "latelier_locked.py", site.folder / "latelier_locked/__init__.py")
    report = refuse(site, policy)
    assert "'latelier_locked.py' is gone" in report.cause
    assert "'latelier_locked/__init__.py' was added" in report.cause


def test_another_version_is_refused(site, policy):
    info = site.folder / "latelier-locked-1.0.dist-info" / "METADATA"
    info.write_text(info.read_text().replace("1.0", "1.1"))
    cause = "was locked at version 1.0, is at 1.1"
    assert refuse(site, policy).cause == cause


def test_a_plugin_that_the_lock_does_not_list_is_refused(site, path):
    write(site, path)
    site.publish("latelier-locked", CODE)
    assert refuse(site, Policy(lock=path)).cause == "is not in the lock"


def test_other_entry_points_are_refused(site, policy):
    info = site.folder / "latelier-locked-1.0.dist-info" / "entry_points.txt"
    info.write_text(info.read_text().replace(":plugin", ":Plugin"))
    assert "'entry_points.txt' was changed" in refuse(site, policy).cause


def test_many_changes_are_summarised(site, policy):
    (site.folder / "latelier_locked.py").unlink()
    (site.folder / "latelier_locked").mkdir()
    for k in range(9):
        (site.folder / "latelier_locked" / f"m{k}.py").write_text("")
    (site.folder / "latelier_locked" / "__init__.py").write_text(CODE)
    assert refuse(site, policy).cause.endswith("was added and 8 more, since it was locked")


def test_a_denied_plugin_is_not_hashed(site, policy, monkeypatch):
    monkeypatch.setattr("latelier.kernel.trust.lock.fingerprint", None)
    denied = Policy(lock=policy.lock, deny=frozenset({"latelier-locked"}))
    assert site.atelier(denied).plugins[0].state == "disabled"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "lock not found"),
        ("{", "invalid lock"),
        ("[]", "invalid lock"),
        ('{"lock": 2, "plugins": {}}', r"\(ValueError: expected format 1, found 2\)"),
        ('{"lock": 1, "plugins": {"a": {"version": "1"}}}', "invalid lock"),
        (
            '{"lock": 1, "plugins": {"a": {"version": "1", "editable": false, "files": {"x": 1}}}}',
            "expected a version, and hashes by path",
        ),
    ],
)
def test_an_unreadable_lock_blocks_all_plugins(site, path, text, message):
    site.publish("latelier-locked", CODE)
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidConfigError, match=message) as refused:
        site.atelier(Policy(lock=path))
    assert f"`latelier plugins lock --output {path}`" in str(refused.value)
    assert "latelier_locked" not in sys.modules


def test_without_plugins_the_lock_is_not_read(site, path):
    assert site.atelier(Policy(lock=path)).plugins == []
