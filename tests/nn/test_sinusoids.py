import math

import pytest
import torch

from latelier.nn.sinusoids import embed_numbers


def test_cosines_come_first_and_frequencies_fall_from_one() -> None:
    embedding = embed_numbers(torch.tensor([0.0, 250.5]), 8)
    frequencies = [10000 ** (-i / 4) for i in range(4)]
    angles = [250.5 * frequency for frequency in frequencies]
    expected = [math.cos(a) for a in angles] + [math.sin(a) for a in angles]
    assert embedding[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert embedding[1].tolist() == pytest.approx(expected, abs=1e-4)


def test_an_odd_width_ends_with_a_zero() -> None:
    embedding = embed_numbers(torch.tensor([7.0]), 5)
    assert embedding.shape == (1, 5)
    assert embedding[0, 4] == 0


def test_the_embedding_is_float32_for_any_timestep() -> None:
    assert embed_numbers(torch.tensor([3]), 4).dtype == torch.float32
    assert embed_numbers(torch.tensor([3.0], dtype=torch.float64), 4).dtype == torch.float32
