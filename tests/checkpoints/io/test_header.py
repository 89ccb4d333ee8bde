"""Headers of safetensors files are read without torch, and damaged ones refused."""

import pytest
import torch
from safetensors.torch import save_file

from latelier.checkpoints.io.header import read_header
from latelier.checkpoints.io.weights import read_weights
from latelier.contracts.errors import ModelFileError


def test_names_dtypes_and_shapes_are_read(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"w": torch.zeros(2, 3), "b": torch.zeros(3).bfloat16()}, path, {"note": "x"})
    header = read_header(path)
    assert {name: (each["dtype"], each["shape"]) for name, each in header.items()} == {
        "w": ("F32", [2, 3]),
        "b": ("BF16", [3]),
    }


def with_header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut short"),
        (b"\xff" * 16, "header would be"),
        (with_header(b"{}")[:-1], "cut short"),
        (with_header(b" {}"), "cut short"),
        (with_header(b"{nonsense}"), "damaged"),
        (with_header(b'{"a": 1, "a": 2}'), "names a tensor twice"),
    ],
)
def test_damaged_headers_are_an_error(tmp_path, data, message):
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message):
        read_header(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ModelFileError, match="not found"):
        read_header(tmp_path / "a.safetensors")


def test_large_metadata_is_accepted(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(2)}, path, {"ss_tag_frequency": "x" * (9 * 2**20)})
    assert list(read_header(path)) == ["a"]
    assert read_weights(path)["a"].tolist() == [0, 0]


def test_a_header_above_the_limit_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes((100_000_001).to_bytes(8, "little") + b"{")
    with pytest.raises(ModelFileError, match="its header would be 100000001 bytes"):
        read_header(path)
