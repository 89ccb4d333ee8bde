"""The folders of registered adapters and databases are checked in the process of the doctor."""

import shutil

import pytest
from PIL import Image

from latelier import default_atelier
from latelier.cli.doctor.probe import check_folder
from latelier.contracts.errors import DataError, ModelFileError, PluginError
from latelier.kernel.spec import ComponentSpec


def test_an_intact_adapter_passes(registered):
    check_folder(default_atelier().adapters.spec("paint"))


def test_a_damaged_adapter_is_reported(registered, tmp_path):
    path = tmp_path / "site" / "paint_pkg" / "data" / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ModelFileError, match="its SHA-256 is"):
        check_folder(default_atelier().adapters.spec("paint"))


def test_a_missing_adapter_is_reported(registered, tmp_path):
    shutil.rmtree(tmp_path / "site" / "paint_pkg" / "data")
    with pytest.raises(PluginError, match="there is no folder 'paint_pkg:data'"):
        check_folder(default_atelier().adapters.spec("paint"))


def test_a_damaged_picture_of_a_database_is_reported(tmp_path, monkeypatch):
    folder = tmp_path / "birds_package" / "pictures"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    owner = {"distribution": "latelier-birds", "version": "1"}
    spec = ComponentSpec(kind="database", name="birds", folder="birds_package:pictures", **owner)
    Image.new("RGB", (4, 4)).save(folder / "owl.png")
    check_folder(spec)
    (folder / "robin.png").write_bytes(b"tweet")
    with pytest.raises(DataError, match=r"robin\.png: left out of the database"):
        check_folder(spec)
