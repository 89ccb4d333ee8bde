"""Pickles that would run code, or eat the machine, if they were read freely: none gets its way."""

import os
import pickle
import pickletools
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from latelier.checkpoints.pickles import copies
from latelier.checkpoints.pickles.archive import Archive
from latelier.checkpoints.pickles.unpickler import unpickle
from latelier.checkpoints.pickles.worker import convert, load_any
from latelier.checkpoints.weight_files import tensors_of
from latelier.contracts.errors import ModelFileError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def here(monkeypatch):
    """Convert in this process, which is faster."""
    monkeypatch.setattr(copies, "convert_in_subprocess", convert)


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def archive(path: Path, data: bytes, *, compressed: bool = False) -> Path:
    """Write a checkpoint whose pickle is `data`."""
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/data/0", struct.pack("<4f", 1, 2, 3, 4))
        file.writestr("archive/version", "3\n")
    return path


def hostile(marker: Path) -> dict[str, object]:
    """Return values whose pickles make `marker`, one way each, if they are obeyed."""
    line = f"open({str(marker)!r}, 'w')"
    return {
        "os.system": Calls(os.system, f"touch {marker}"),
        "eval": Calls(eval, line),
        "exec in a list": [1, [2, Calls(exec, line)]],
        "a process": Calls(subprocess.check_output, ["touch", str(marker)]),
        "a file": Calls(open, str(marker), "w"),
        "as a key": {"state_dict": OrderedDict([((Calls(os.system, f"touch {marker}"),), 1)])},
        "nested reduce": Calls(getattr, Calls(__import__, "os"), "system"),
        "a path's method": Calls(Path.touch, marker),
        "an inner pickle": Calls(pickle.loads, pickle.dumps(Calls(os.system, f"touch {marker}"))),
    }


NAMES = list(hostile(Path("x")))


@pytest.mark.parametrize("name", NAMES)
def test_the_hostile_pickles_run_under_plain_pickle(tmp_path, name):
    marker = tmp_path / "ran"
    if name == "nested reduce":
        return  # it only fetches a function
    pickle.loads(pickle.dumps(hostile(marker)[name]))
    assert marker.exists()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_hostile_pickles_run_nothing(tmp_path, name, protocol):
    marker = tmp_path / "ran"
    path = archive(tmp_path / "h.ckpt", pickle.dumps(hostile(marker)[name], protocol))
    with suppress(pickle.UnpicklingError):
        unpickle(Archive(path))
    assert not marker.exists()


@pytest.mark.parametrize("name", NAMES)
def test_hostile_pickles_run_nothing_in_either_format(tmp_path, name):
    marker = tmp_path / "ran"
    data = pickle.dumps(hostile(marker)[name], 2)
    plain = tmp_path / "plain.ckpt"
    plain.write_bytes(data)
    for path in (archive(tmp_path / "zip.ckpt", data), plain):
        with suppress(ModelFileError):
            load_any(path)
        assert not marker.exists()


def test_hostile_pickles_run_nothing_in_the_whole_import(tmp_path):
    marker = tmp_path / "ran"
    value = {"state_dict": {"w": torch.ones(2)}, "callbacks": list(hostile(marker).values())}
    torch.save(value, tmp_path / "h.ckpt")
    tensors = tensors_of(tmp_path / "h.ckpt")
    assert torch.equal(tensors["w"], torch.ones(2))
    assert not marker.exists()


def test_hostile_pickles_import_no_module(tmp_path, monkeypatch):
    marker = tmp_path / "ran"
    (tmp_path / "sideeffect.py").write_text(f"open({str(marker)!r}, 'w')\nclass Thing: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    for data in (
        b"csideeffect\nThing\n.",
        b"(isideeffect\nThing\n.",
        b"\x80\x02csideeffect\nT\n)R.",
    ):
        assert [opcode.name for opcode, _, _ in pickletools.genops(data)][-1] == "STOP"
        load_any(archive(tmp_path / "h.ckpt", data))
    assert not marker.exists()
    assert "sideeffect" not in sys.modules


STATEFUL = {
    "a function's code": b"ctorch._utils\n_rebuild_tensor_v2\nN}S'__code__'\nI1\ns\x86b.",
    "a dictionary's class": b"ccollections\nOrderedDict\n}S'items'\nI1\nsb.",
    "a storage's type": b"ctorch\nFloatStorage\nN}S'dtype'\nI1\ns\x86b.",
}


@pytest.mark.parametrize("name", STATEFUL)
def test_allowed_functions_cannot_be_changed(tmp_path, name):
    with pytest.raises(pickle.UnpicklingError, match="the pickle changes"):
        unpickle(Archive(archive(tmp_path / "h.ckpt", STATEFUL[name])))


def tensor_pickle(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """Return the pickle of a tensor on storage 0, of four numbers, with any size."""

    def tup(numbers: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"I%d\n" % n for n in numbers) + b"t"

    storage = b"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI4\ntQ"
    arguments = b"(" + storage + b"I%d\n" % offset + tup(size) + tup(stride) + b"I00\nNt"
    return b"\x80\x02}S'w'\nctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."


def test_a_tensor_within_its_storage_is_read(tmp_path):
    path = archive(tmp_path / "w.ckpt", tensor_pickle(1, (2,), (2,)))
    assert torch.equal(unpickle(Archive(path))["w"], torch.tensor([2.0, 4.0]))


@pytest.mark.parametrize(
    ("offset", "size", "stride", "why"),
    [
        (0, (5,), (1,), "beyond the end"),
        (4, (1,), (1,), "beyond the end"),
        (0, (2, 2), (3, 1), "beyond the end"),
        (-1, (2,), (1,), "without storage or size"),
        (0, (10**6, 10**6), (0, 0), "more numbers"),
        (0, (2, 2), (1,), "differ in length"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, offset, size, stride, why):
    path = archive(tmp_path / "w.ckpt", tensor_pickle(offset, size, stride))
    with pytest.raises(pickle.UnpicklingError, match=why):
        unpickle(Archive(path))


def test_a_truncated_storage_is_refused(tmp_path):
    data = tensor_pickle(0, (4,), (1,)).replace(b"I4\ntQ", b"I400\ntQ")
    with pytest.raises(ModelFileError, match="storage '0' is missing or cut short"):
        unpickle(Archive(archive(tmp_path / "w.ckpt", data)))


def test_a_zip_bomb_is_refused(here, tmp_path):
    path = tmp_path / "bomb.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", pickle.dumps({}))
        file.writestr("archive/data/0", bytes(2**26))
    assert path.stat().st_size < 2**17
    with pytest.raises(ModelFileError, match="compressed or encrypted"):
        tensors_of(path)


def test_overlapping_zip_entries_are_refused(tmp_path):
    path = archive(tmp_path / "w.ckpt", tensor_pickle(0, (4,), (1,)))
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"archive/data/0"))
    data[at + 20 : at + 28] = struct.pack("<II", 2**20, 2**20)
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"larger than the file|not at its offset"):
        Archive(path).storage("0", torch.float32, 2**18)


def test_a_pickle_that_needs_much_memory_is_stopped(tmp_path):
    grow = b"c__builtin__\nbytearray\nI8000000000\n\x85R."
    with pytest.raises(ModelFileError, match=r"huge\.ckpt: "):
        tensors_of(archive(tmp_path / "huge.ckpt", grow))


def test_errors_do_not_suggest_unsafe_loading(tmp_path):
    path = tmp_path / "evil.ckpt"
    path.write_bytes(pickle.dumps(range(3), protocol=2))
    with pytest.raises(ModelFileError, match="holds more than tensors") as caught:
        load_any(path)
    assert "weights_only" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    path = tmp_path / "w.ckpt"
    torch.save({"w": torch.randn(500)}, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ModelFileError, match=r"w\.ckpt: "):
        load_any(path)


@pytest.mark.parametrize("data", [b"", b"\x80", b"not a model", b"\x80\x02" + b"]" * 9, bytes(64)])
def test_a_file_of_another_kind_is_refused(here, tmp_path, data):
    path = tmp_path / "w.ckpt"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=r"w\.ckpt: "):
        tensors_of(path)


@pytest.mark.parametrize("name", ["W.SAFETENSORS", "w.Pt", "w"])
def test_the_format_is_detected_from_the_content(here, tmp_path, name):
    marker = tmp_path / "ran"
    path = tmp_path / name
    torch.save(hostile(marker)["os.system"], path)
    with pytest.raises(ModelFileError):
        tensors_of(path)
    assert not marker.exists()


def test_a_compromised_reader_is_still_confined(tmp_path):
    """Even if a pickle could call what it names, the process refuses to do it."""
    code = """
import os, sys
from pathlib import Path
from latelier.checkpoints.pickles.sandbox import confine, limits_for
folder = Path(sys.argv[1])
(folder / "mine").mkdir()
confine(limits_for(1000), folder / "mine")
def refused(act):
    try:
        act()
    except (PermissionError, MemoryError):
        return True
    return False
import socket, subprocess
assert refused(lambda: os.system("true"))
assert refused(lambda: subprocess.run(["true"]))
assert refused(lambda: open(folder / "other", "w"))
assert refused(lambda: os.open(folder / "other", os.O_CREAT | os.O_WRONLY))
assert refused(lambda: socket.create_connection(("127.0.0.1", 9)))
assert refused(lambda: os.remove(folder / "keep"))
assert refused(lambda: bytearray(2**32))
open(folder / "mine" / "own", "w").close()
print("confined")
"""
    (tmp_path / "keep").touch()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "confined\n", done.stderr
