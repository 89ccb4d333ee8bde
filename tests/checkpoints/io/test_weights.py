"""Weights: round trips, damaged files, and weights that are not the module's."""

import errno
import json
import pickle

import pytest
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from latelier.checkpoints.io.weights import (
    build_on_meta,
    load_into,
    meta_device,
    read_weights,
    write_weights,
)
from latelier.contracts.errors import ModelFileError
from latelier.io.hashing import sha256_of


def tensors():
    return {
        "a": torch.arange(12.0).view(3, 4),
        "b": torch.ones(5, dtype=torch.bfloat16),
        "c": torch.tensor(7),
    }


def test_write_and_read_round_trip(tmp_path):
    path = tmp_path / "w.safetensors"
    sha256 = write_weights(path, tensors())
    assert sha256 == sha256_of(path)
    read = read_weights(path)
    assert read.keys() == tensors().keys()
    for name, tensor in tensors().items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)
    assert write_weights(tmp_path / "again.safetensors", read) == sha256


def test_texts_are_written_to_the_header(tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors(), {"scale": "2"})
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"scale": "2"}
    write_weights(path, tensors())
    with safe_open(path, "pt") as file:
        assert file.metadata() is None


def test_shared_and_strided_tensors_are_written_separately(tmp_path):
    tied = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    path = tmp_path / "w.safetensors"
    given = {"in": tied, "out": tied, "transposed": tied.t(), "part": tied[1:3]}
    write_weights(path, given)
    assert all(torch.equal(read_weights(path)[name], tensor) for name, tensor in given.items())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_weights(tmp_path, monkeypatch, error):
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors())
    before = path.read_bytes()

    def fails(_tensors, target, _metadata):
        target.write_bytes(b"half")
        raise error

    monkeypatch.setattr("latelier.checkpoints.io.weights.save_file", fails)
    with pytest.raises(error):
        write_weights(path, {"a": torch.zeros(1)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def with_header(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
SOUND = with_header({"a": ONE}, b"\0" * 4)
DAMAGED = {
    "empty": b"",
    "cut in the length": SOUND[:5],
    "cut in the header": SOUND[:20],
    "cut in the data": SOUND[:-1],
    "a byte too many": SOUND + b"\0",
    "header longer than the file": (1000).to_bytes(8, "little") + b"{}",
    "header too long": (2**40).to_bytes(8, "little") + b"{}",
    "header not JSON": with_header(b"{a: 1}"),
    "header not UTF-8": with_header(b'{"\xff": 1}'),
    "header a list": with_header([1]),
    "header nested without end": with_header(b'{"a":' + b"[" * 100_000),
    "leading space": with_header(b' {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'),
    "a name twice": with_header(
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},'
        b' "a": {"dtype": "I32", "shape": [1], "data_offsets": [0, 4]}}',
        b"\0" * 4,
    ),
    "an entry without dtype": with_header({"a": {"shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
    "an entry that is none": with_header({"a": 1}),
    "unknown dtype": with_header({"a": {**ONE, "dtype": "F33"}}, b"\0" * 4),
    "shape against data": with_header({"a": {**ONE, "shape": [2]}}, b"\0" * 4),
    "overlapping": with_header({"a": ONE, "b": ONE}, b"\0" * 4),
    "a hole": with_header({"a": {**ONE, "data_offsets": [4, 8]}}, b"\0" * 8),
    "negative shape": with_header({"a": {**ONE, "shape": [-1]}}, b"\0" * 4),
    "a pickle": pickle.dumps({"a": [1.0]}),
    "a zip of torch.save": b"PK\x03\x04" + b"\0" * 60,
    "text": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n",
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_files_are_refused(tmp_path, data):
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="damaged or not a safetensors file") as caught:
        read_weights(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_an_undamaged_file_is_read(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(SOUND)
    assert read_weights(tmp_path / "w.safetensors")["a"].tolist() == [0.0]


def test_every_truncation_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, {"a": torch.ones(3), "b": torch.ones(2)})
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            read_weights(path)


def test_too_many_tensors_are_refused(tmp_path):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    path = tmp_path / "w.safetensors"
    path.write_bytes(with_header({str(k): empty for k in range(50_001)}))
    with pytest.raises(ModelFileError, match="50001 tensors are more than any model has"):
        read_weights(path)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(ModelFileError, match="not found"):
        read_weights(tmp_path / "nowhere.safetensors")
    with pytest.raises(ModelFileError, match="cannot be read"):
        read_weights(tmp_path)


def linear():
    with meta_device():
        return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def weights_of(module):
    return {name: torch.zeros(t.shape, dtype=t.dtype) for name, t in module.state_dict().items()}


def test_weights_are_assigned_without_a_copy():
    module, given = linear(), weights_of(linear())
    load_into(module, given, "file")
    assert module[0].weight.data_ptr() == given["0.weight"].data_ptr()
    assert not any(parameter.is_meta for parameter in module.parameters())


def fewer(given):
    del given["0.weight"], given["0.bias"]


def more(given):
    given.update({f"extra{k}": torch.zeros(1) for k in range(7)})


def misshapen(given):
    given["0.weight"] = torch.zeros(2, 4)


def whole_numbers(given):
    given["0.weight"] = torch.zeros(2, 3, dtype=torch.long)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (fewer, r"2 missing \(0\.bias, 0\.weight\)"),
        (more, r"7 unexpected \(extra0, extra1, extra2, extra3, extra4, extra5, extra6\)"),
        (misshapen, r"1 misshapen \(0\.weight is \(2, 4\), not \(2, 3\)"),
        (whole_numbers, r"of another dtype \(0\.weight is torch\.int64, not torch\.float32"),
    ],
)
def test_weights_of_another_module_are_refused_and_nothing_is_assigned(change, message):
    module, given = linear(), weights_of(linear())
    change(given)
    with pytest.raises(ModelFileError, match=f"file: the weights do not fit .*{message}"):
        load_into(module, given, "file")
    assert all(parameter.is_meta for parameter in module.parameters())


class Plain(nn.Linear):
    built = 0

    def __init__(self):
        super().__init__(2, 2)
        type(self).built += 1


class WithTable(Plain):
    def __init__(self):
        super().__init__()
        self.table = torch.arange(3.0)


class WithBuffer(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.arange(3.0), persistent=False)


class NeedsValues(Plain):
    def __init__(self):
        super().__init__()
        self.table = torch.arange(3.0).tolist()


class NeedsArrays(Plain):
    def __init__(self):
        super().__init__()
        self.table = list(torch.arange(3.0).numpy())


def test_a_plain_module_is_built_once_without_storage():
    Plain.built = 0
    assert build_on_meta(Plain).weight.is_meta
    assert Plain.built == 1


@pytest.mark.parametrize("kind", [WithTable, WithBuffer, NeedsValues, NeedsArrays])
def test_a_module_with_other_state_is_built_with_storage(kind):
    module = build_on_meta(kind)
    assert [float(value) for value in module.table] == [0, 1, 2]
    load_into(module, weights_of(module), "file")
    assert not module.weight.any()


def test_a_module_that_cannot_be_built_raises_its_own_error():
    def broken():
        raise TypeError("no width")

    with pytest.raises(TypeError, match="no width"):
        build_on_meta(broken)


def test_an_unwritable_file_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"exists|directory"):
        write_weights(tmp_path / "file" / "w.safetensors", tensors())


def test_a_full_disk_is_an_os_error(tmp_path, monkeypatch):
    def fails(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("latelier.checkpoints.io.weights.save_file", fails)
    with pytest.raises(OSError, match="No space left on device") as error:
        write_weights(tmp_path / "w.safetensors", tensors())
    assert error.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
