"""Peaks of memory are those of the work that is measured."""

import sys

import pytest
import torch

from benchmarks.harness.case import SkipError
from benchmarks.harness.memory import measure_peak, require_memory, sample_anonymous

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def test_a_peak_is_what_a_call_takes_for_a_while():
    peak = measure_peak(lambda: torch.ones(8, 2**20).sum())
    assert peak == pytest.approx(32, abs=8)


def test_what_the_first_call_leaves_is_not_in_the_peak() -> None:
    kept: list[torch.Tensor] = []

    def work() -> None:
        if not kept:
            kept.append(torch.ones(32, 2**20))  # 128 MiB

    assert measure_peak(work) < 32


def test_anonymous_memory_has_what_is_allocated():
    with sample_anonymous() as peak:
        before = peak[0]
        kept = torch.ones(8, 2**20)
    assert peak[0] - before == pytest.approx(32, abs=8)
    assert kept.sum() == 2**23


def test_too_little_memory_skips_a_case():
    with pytest.raises(SkipError, match=r"needs 1e\+06 GiB of free memory"):
        require_memory(1_000_000)
