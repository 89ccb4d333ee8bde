"""Devices and precisions that are here, and those that are not."""

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.pipeline import placement
from latelier.pipeline.placement import list_devices, resolve_device

computes_bfloat16 = placement.computes_bfloat16  # before the suite sets it to False


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"neon": True, "bf16": True}, torch.bfloat16),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"neon": True, "bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_is_bfloat16_where_the_processor_has_instructions_for_it(
    monkeypatch, capabilities, dtype
):
    monkeypatch.setattr(placement, "computes_bfloat16", computes_bfloat16)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert resolve_device("cpu") == (torch.device("cpu"), dtype)


def test_auto_is_float32_where_torch_cannot_tell(monkeypatch):
    monkeypatch.setattr(placement, "computes_bfloat16", computes_bfloat16)
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_device("cpu") == (torch.device("cpu"), torch.float32)


def test_a_given_precision_is_taken():
    assert resolve_device("cpu", "bfloat16") == (torch.device("cpu"), torch.bfloat16)
    assert resolve_device("cpu", torch.float64) == (torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("device", ["cpuu", "", "hpu", "meta", "cuda:99", "cpu:x"])
def test_an_unavailable_device_is_an_error(device):
    with pytest.raises(InvalidInputError, match=f"device '{device}' cannot be used here: "):
        resolve_device(device)


def test_an_unknown_precision_is_an_error():
    with pytest.raises(InvalidInputError, match="Did you mean 'float32'"):
        resolve_device("cpu", "float31")


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, torch.float8_e4m3fn, 16, None])
def test_a_type_that_no_pipeline_computes_in_is_an_error(dtype):
    with pytest.raises(InvalidInputError, match=r"dtype: precision '\w+' not found"):
        resolve_device("cpu", dtype)


def test_a_precision_that_the_device_lacks_is_an_error(monkeypatch):
    def refuse(*_, **__):
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    monkeypatch.setattr(torch, "ones", refuse)
    with pytest.raises(InvalidInputError, match="dtype: the device 'cpu' has no float64"):
        resolve_device("cpu", "float64")


def test_an_unavailable_device_is_answered_with_those_that_are_here():
    with pytest.raises(InvalidInputError) as caught:
        resolve_device("gpu")
    line = str(caught.value)
    assert line == f"device 'gpu' cannot be used here: this machine has {', '.join(list_devices())}"
    assert "cpu" in list_devices()
    assert all(resolve_device(each)[0] == torch.device(each) for each in list_devices())
