"""Devices and precisions that are here, and those that are not."""

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.pipeline.placement import list_devices, resolve_device


def test_the_cpu_computes_in_float32_by_default():
    assert resolve_device("cpu") == (torch.device("cpu"), torch.float32)
    assert resolve_device("cpu", "bfloat16") == (torch.device("cpu"), torch.bfloat16)
    assert resolve_device("cpu", torch.float64) == (torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("device", ["cpuu", "", "hpu", "meta", "cuda:99", "cpu:x"])
def test_an_unavailable_device_is_an_error(device):
    with pytest.raises(InvalidInputError, match=f"device '{device}' cannot be used here: "):
        resolve_device(device)


def test_an_unknown_precision_is_an_error():
    with pytest.raises(InvalidInputError, match="Did you mean 'float32'"):
        resolve_device("cpu", "float31")


def test_an_unavailable_device_is_answered_with_those_that_are_here():
    with pytest.raises(InvalidInputError) as caught:
        resolve_device("gpu")
    line = str(caught.value)
    assert line == f"device 'gpu' cannot be used here: this machine has {', '.join(list_devices())}"
    assert "cpu" in list_devices()
    assert all(resolve_device(each)[0] == torch.device(each) for each in list_devices())
