"""The folders of a user, of one without a home too."""

import os
import pwd
from pathlib import Path

import pytest

from latelier.io.user_folders import cache_folder, config_folder, expand_home


@pytest.fixture
def homeless(monkeypatch):
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def find_none(_):
        raise KeyError("no such user")

    monkeypatch.setattr(pwd, "getpwuid", find_none)


def test_environment_variables_name_the_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert config_folder() == tmp_path / "config" / "latelier"
    assert not (tmp_path / "config").exists()
    assert cache_folder("weights") == tmp_path / "cache" / "latelier" / "weights"
    assert cache_folder("weights").is_dir()


@pytest.mark.usefixtures("homeless")
def test_without_a_home_there_is_no_configuration_and_caches_are_temporary(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_folder() is None
    folder = cache_folder("weights")
    (folder / "file").touch()
    assert cache_folder("weights") == folder
    assert expand_home("~/file") == Path("~/file")
    assert list(tmp_path.iterdir()) == []


def test_an_uncreatable_cache_is_replaced_by_a_temporary_one(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (cache_folder("weights") / "file").touch()


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser writes anywhere")
def test_an_unwritable_cache_is_replaced_by_a_temporary_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "latelier" / "weights").mkdir(parents=True, mode=0o500)
    (cache_folder("weights") / "file").touch()
