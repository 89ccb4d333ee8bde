from pathlib import Path

import pytest

from latelier.checkpoints.io import hub
from latelier.checkpoints.io.hub import find_local
from latelier.contracts.errors import ModelFileError


@pytest.fixture
def fetched(tmp_path, monkeypatch):
    """A folder of the repository owner/fetched, the only one that was fetched."""

    def find_fetched(name: hub.HubName) -> Path:
        if name.repository != "owner/fetched":
            raise ModelFileError("not fetched")
        return tmp_path

    monkeypatch.setattr(hub, "find_fetched", find_fetched)
    (tmp_path / "vgg.safetensors").touch()
    return tmp_path


def test_a_path_is_found(fetched):
    file = fetched / "vgg.safetensors"
    assert find_local(str(file)) == file
    assert find_local(str(fetched)) == fetched


def test_a_file_or_a_repository_of_the_hub_is_found_if_it_was_fetched(fetched):
    assert find_local("owner/fetched/vgg.safetensors") == fetched / "vgg.safetensors"
    assert find_local("owner/fetched") == fetched


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("owner/other/vgg.safetensors", "hf download owner/other vgg.safetensors"),
        ("owner/other", "hf download owner/other"),
        ("owner/fetched/lin.pth@v2", "hf download owner/fetched lin.pth --revision v2"),
    ],
)
def test_the_error_names_the_command_that_fetches_it(fetched, name, command):
    with pytest.raises(ModelFileError, match=f"{name}: not found.* to fetch it: {command}$"):
        find_local(name)


def test_a_missing_path_is_an_error(tmp_path):
    with pytest.raises(ModelFileError, match=r"missing\.pth: not found$"):
        find_local(str(tmp_path / "missing.pth"))
