"""PyTorch checkpoints, as they are found in the wild, become the tensors that they hold."""

import sys
import types
from collections import OrderedDict

import pytest
import torch

from latelier.checkpoints.io.weights import write_weights
from latelier.checkpoints.pickles import copies
from latelier.checkpoints.pickles.archive import Archive
from latelier.checkpoints.pickles.copies import ConvertedCopies
from latelier.checkpoints.pickles.unpickler import Inert, unpickle
from latelier.checkpoints.pickles.worker import convert
from latelier.checkpoints.weight_files import as_safetensors, shapes_of, tensors_of
from latelier.contracts.errors import ModelFileError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def here(monkeypatch):
    """Convert in this process, which is faster."""
    monkeypatch.setattr(copies, "convert_in_subprocess", convert)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def weights() -> dict[str, torch.Tensor]:
    base = noise(40)
    tied = noise(3, 4)
    return {
        "plain": noise(2, 3),
        "view": base[7:19].view(3, 4),
        "transposed": base[20:32].view(3, 4).t(),
        "strided": base[::3],
        "tied": tied,
        "tied again": tied,
        "half": noise(5).half(),
        "brain": noise(5).bfloat16(),
        "double": noise(5).double(),
        "count": torch.tensor(7),
        "yes": torch.tensor([True, False]),
        "none": torch.empty(0, 3),
    }


@pytest.fixture
def foreign():
    """A class that pickles know, and that is gone when they are read."""
    module = types.ModuleType("pytorch_lightning_like")

    class Callback:
        def __init__(self):
            self.best = torch.ones(2)
            self.things = {"a": [1, 2]}

    class Attributes(dict):
        def __setstate__(self, state):
            raise AssertionError("ran")

    for each in (Callback, Attributes):
        each.__module__, each.__qualname__ = module.__name__, each.__name__
        setattr(module, each.__name__, each)
    sys.modules[module.__name__] = module
    yield module
    sys.modules.pop(module.__name__, None)


def lightning(module) -> dict:
    attributes = module.Attributes(rate=1e-4)
    attributes.more = 1
    return {
        "epoch": 3,
        "callbacks": {module.Callback: module.Callback(), "x": {module.Callback()}},
        "hyper_parameters": attributes,
        "state_dict": OrderedDict(weights()),
    }


def same(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == weights().keys()
    for name, tensor in weights().items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor), name


def test_a_lightning_file_with_missing_classes_is_read(tmp_path, foreign):
    path = tmp_path / "last.ckpt"
    torch.save(lightning(foreign), path)
    with pytest.raises(Exception, match=r"Unsupported|Weights only"):
        torch.load(path, weights_only=True)
    del sys.modules[foreign.__name__]
    held = unpickle(Archive(path))
    same(held["state_dict"])
    assert isinstance(held["hyper_parameters"], Inert)
    same(tensors_of(path))


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("legacy", [True, False])
def test_plain_and_nested_state_dicts_are_read(here, tmp_path, wrapped, legacy):
    path = tmp_path / "w.pt"
    value = {"state_dict": weights(), "global_step": 3} if wrapped else {**weights(), "step": 3}
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    same(tensors_of(path))
    assert shapes_of(path)["view"] == (3, 4)


def test_a_parameter_is_read_as_its_tensor(tmp_path, foreign):
    path = tmp_path / "w.pt"
    torch.save({"w": torch.nn.Parameter(noise(3)), "x": foreign.Callback()}, path)
    assert torch.equal(unpickle(Archive(path))["w"], noise(3))


def test_a_dictionary_of_parameters_is_read(here, tmp_path):
    """As the first files of textual inversion have it."""
    held = torch.nn.ParameterDict({"*": torch.nn.Parameter(noise(2, 3))})
    held.remark = object  # what else its state has is ignored
    torch.save({"string_to_token": {"*": 265}, "string_to_param": held}, tmp_path / "x.pt")
    found = tensors_of(tmp_path / "x.pt")
    assert found.keys() == {"string_to_param.*"}
    assert torch.equal(found["string_to_param.*"], noise(2, 3))


def test_a_pickle_is_converted_once_and_its_copy_removed(here, tmp_path, monkeypatch, cache):
    path = tmp_path / "w.pt"
    torch.save(weights(), path)
    made = ConvertedCopies(convert)
    copy = as_safetensors(path, made)
    assert copy.is_relative_to(cache)
    tensors = tensors_of(path, made)
    assert as_safetensors(path, made) == copy
    made.remove()
    assert files_in(cache) == []
    same(tensors)


def test_temporary_copies_are_removed(here, tmp_path, cache):
    path = tmp_path / "w.pt"
    torch.save(weights(), path)
    same(tensors_of(path))
    assert files_in(cache) == []


def files_in(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_safetensors_are_used_directly(tmp_path):
    path = tmp_path / "w.ckpt"
    write_weights(path, {"w": noise(3)})
    assert as_safetensors(path, ConvertedCopies()) == path
    assert torch.equal(tensors_of(path)["w"], noise(3))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([noise(2)], "holds no tensors by name"),
        ({"state_dict": {}}, "holds no tensors by name"),
        ({"a": 1}, "holds no tensors by name"),
        ({"x" * 600: noise(2)}, "has the name"),
        ({"w": noise(4, 4).to_sparse()}, "is not a plain tensor"),
        ({f"w{i}": t for i, t in enumerate([noise(4000)] * 9)}, "larger than the file"),
    ],
)
def test_files_without_tensors_are_refused(here, tmp_path, value, why):
    path = tmp_path / "w.pt"
    torch.save(value, path)
    with pytest.raises(ModelFileError, match=why):
        tensors_of(path)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(ModelFileError, match="not found"):
        tensors_of(tmp_path / "w.pt")
    with pytest.raises(ModelFileError, match="cannot be read"):
        tensors_of(tmp_path)
