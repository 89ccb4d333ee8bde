"""Devices and precisions that are here, and those that are not."""

import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.pipeline.placement import placement


def test_the_cpu_computes_in_float32_unless_told_otherwise():
    assert placement("cpu") == (torch.device("cpu"), torch.float32)
    assert placement("cpu", "bfloat16") == (torch.device("cpu"), torch.bfloat16)
    assert placement("cpu", torch.float64) == (torch.device("cpu"), torch.float64)


@pytest.mark.parametrize("device", ["cpuu", "", "hpu", "meta", "cuda:99", "cpu:x"])
def test_a_device_that_cannot_be_used(device):
    with pytest.raises(InvalidInputError, match=f"device '{device}' cannot be used here: "):
        placement(device)


def test_a_misspelt_precision():
    with pytest.raises(InvalidInputError, match="Did you mean 'float32'"):
        placement("cpu", "float31")
