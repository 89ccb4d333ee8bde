"""The free memory of a device, and the errors that say that it is exhausted."""

import pytest
import torch

from latelier.nn.memory import format_gigabytes, free_memory, is_out_of_memory


def test_the_free_memory_of_a_cpu_is_in_bytes():
    assert 2**24 < free_memory(torch.device("cpu")) < 2**50


def test_errors_of_the_allocators_are_recognized():
    with pytest.raises(RuntimeError) as found:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(found.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("sizes differ"))


def test_bytes_are_written_in_gigabytes():
    assert format_gigabytes(13_900_000_000) == "13.90 GB"
