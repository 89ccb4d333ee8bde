"""The files of a registered adapter are checked in the process of the doctor."""

import shutil

import pytest

from latelier import default_atelier
from latelier.cli.doctor.probe import check_adapter_files
from latelier.contracts.errors import ModelFileError, PluginError


def test_an_intact_adapter_passes(registered):
    check_adapter_files(default_atelier().adapters.spec("paint"))


def test_a_damaged_adapter_is_reported(registered, tmp_path):
    path = tmp_path / "site" / "paint_pkg" / "data" / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(ModelFileError, match="its SHA-256 is"):
        check_adapter_files(default_atelier().adapters.spec("paint"))


def test_a_missing_adapter_is_reported(registered, tmp_path):
    shutil.rmtree(tmp_path / "site" / "paint_pkg" / "data")
    with pytest.raises(PluginError, match="there is no folder 'paint_pkg:data'"):
        check_adapter_files(default_atelier().adapters.spec("paint"))
