"""Editing the lists of config.toml keeps everything else in it."""

import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.kernel.trust.config_edits import disable, enable, require_config_path
from latelier.kernel.trust.config_file import read_settings

WRITTEN = """\
# my own
[aliases]  # who means what
"sampler.ddim" = "x/ddim"

[ plugins ] # the gate
# careful with these
deny = ["a", 'b:]#"x'] # for a reason
allow = [
    "a",  # a comment in here
    "c",
]
# the end
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "latelier" / "config.toml"


@pytest.fixture
def written(path):
    path.parent.mkdir()
    path.write_text(WRITTEN)
    return path


def test_a_missing_file_is_created(path):
    disable(path, ["latelier-foo:main", "bar"])
    assert path.read_text() == '[plugins]\ndeny = ["latelier-foo:main", "bar"]\n'
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_all_other_content_is_kept(written):
    disable(written, ["new"])
    assert written.read_text() == WRITTEN.replace("""'b:]#"x']""", """'b:]#"x', "new"]""")


def test_a_multi_line_list_is_edited(written):
    enable(written, ["d"])
    text = written.read_text()
    assert tomllib.loads(text)["plugins"] == {"deny": ["a", 'b:]#"x'], "allow": ["a", "c", "d"]}
    assert text.endswith("\n# the end\n")
    assert text.startswith(WRITTEN[: WRITTEN.index("allow")])


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("", '[plugins]\ndeny = ["x"]\n'),
        ("# only a comment", '# only a comment\n[plugins]\ndeny = ["x"]\n'),
        ("[aliases]\n", '[aliases]\n\n[plugins]\ndeny = ["x"]\n'),
        (
            "[plugins]\nlock = 'a.lock'\n[aliases]\n",
            "[plugins]\nlock = 'a.lock'\ndeny = [\"x\"]\n[aliases]\n",
        ),
        (
            '[aliases]\n"sampler.deny" = "deny = [1]"\n[plugins]\n',
            '[aliases]\n"sampler.deny" = "deny = [1]"\n[plugins]\ndeny = ["x"]\n',
        ),
    ],
)
def test_a_new_list_goes_into_the_plugins_table(path, text, left):
    path.parent.mkdir()
    path.write_text(text)
    disable(path, ["x"])
    assert path.read_text() == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("# mine\r\n", '# mine\r\n\r\n[plugins]\r\ndeny = ["x"]\r\n'),
        (
            "[plugins] # the gate\r\n[aliases]\r\n",
            '[plugins] # the gate\r\ndeny = ["x"]\r\n[aliases]\r\n',
        ),
        (
            '[plugins]\r\ndeny = [\r\n "a", # a\r\n]\r\n',
            '[plugins]\r\ndeny = [\r\n "a", # a\r\n "x",\r\n]\r\n',
        ),
    ],
)
def test_line_endings_are_kept(path, text, left):
    path.parent.mkdir()
    path.write_bytes(text.encode())
    disable(path, ["x"])
    assert path.read_bytes() == left.encode()


def test_disabled_plugins_are_enabled_again(path):
    disable(path, ["one", "two:a", "two:b", "three"])
    disable(path, ["one"])
    assert read_settings(path)[0]["deny"] == ["one", "two:a", "two:b", "three"]
    enable(path, ["two", "three"])
    assert path.read_text() == '[plugins]\ndeny = ["one"]\n'
    enable(path, ["one", "never"])
    assert path.read_text() == "[plugins]\ndeny = []\n"


def test_enabling_without_a_file_writes_no_file(path):
    enable(path, ["x"])
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plugins = {deny = ['a']}\n", "plugins = {deny = ['a', \"x\"]}\n"),
        ("plugins.deny = ['a']\n", "plugins.deny = ['a', \"x\"]\n"),
        ('[plugins]\n"deny" = ["a"]\n', '[plugins]\n"deny" = ["a", "x"]\n'),
    ],
)
def test_every_toml_form_of_the_table_is_edited(path, text, left):
    path.parent.mkdir()
    path.write_text(text)
    disable(path, ["x"])
    assert path.read_text() == left
    enable(path, ["x"])
    assert path.read_text() == text


def test_concurrent_changes_are_kept(path):
    names = [f"plugin-{k}" for k in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: disable(path, [name]), names))
    assert sorted(read_settings(path)[0]["deny"]) == sorted(names)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: enable(path, [name]), names))
    assert read_settings(path)[0]["deny"] == []


def test_spellings_of_a_name_are_equivalent(path):
    path.parent.mkdir()
    path.write_text('[plugins]\ndeny = ["My_Plugin"]\n')
    disable(path, ["my-plugin"])
    assert path.read_text() == '[plugins]\ndeny = ["My_Plugin"]\n'
    enable(path, ["my-plugin"])
    assert path.read_text() == "[plugins]\ndeny = []\n"


def test_without_a_home_the_error_names_the_variable_to_set(monkeypatch):
    monkeypatch.setattr("latelier.kernel.trust.config_file.config_folder", lambda: None)
    with pytest.raises(InvalidConfigError, match="no home; set XDG_CONFIG_HOME"):
        require_config_path()


@pytest.mark.parametrize("text", ["[plugins", "[plugins]\ndeny = 'x'\n", "[plugin]\n"])
def test_an_invalid_file_is_not_changed(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InvalidConfigError):
        disable(path, ["x"])
    assert path.read_text() == text


def test_links_are_followed_and_the_mode_is_kept(written, tmp_path):
    real = tmp_path / "dotfiles.toml"
    written.rename(real)
    real.chmod(0o600)
    written.symlink_to(real)
    disable(written, ["new"])
    assert written.is_symlink()
    assert "new" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_file_as_it_was(written, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refused)
    with pytest.raises(InvalidConfigError, match=r"config\.toml: cannot be written"):
        disable(written, ["new"])
    assert written.read_text() == WRITTEN
    assert [each.name for each in written.parent.iterdir()] == ["config.toml"]
