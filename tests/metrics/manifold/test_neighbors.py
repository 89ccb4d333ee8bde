import pytest
import torch

from latelier.contracts.errors import InvalidInputError
from latelier.metrics.manifold import neighbors as module
from latelier.metrics.manifold.neighbors import count_in_balls


def test_counts_are_those_of_hand_computation() -> None:
    centers = torch.tensor([[0.0], [1.0], [3.0], [7.0]])  # radii 1, 1, 2, 4
    points = torch.tensor([[2.0], [-1.5], [4.0], [11.0]])
    balls, held = count_in_balls(points, centers, 1)
    assert balls.tolist() == [2, 0, 2, 1]  # 2: of 1 and 3; 4: of 3 and 7; 11: at the border of 7
    assert held.tolist() == [0, 1, 2, 2]


def test_copies_are_at_distance_zero() -> None:
    centers = torch.randn(20, 300, generator=torch.Generator().manual_seed(0)).repeat(3, 1)
    balls, _ = count_in_balls(centers, centers, 2)  # the radii are 0
    assert (balls == 3).all()


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    points, centers = torch.randn(41, 6), torch.randn(30, 6)
    whole = count_in_balls(points, centers, 3)
    monkeypatch.setattr(module, "_BLOCK", 70)
    assert all(map(torch.equal, count_in_balls(points, centers, 3), whole))


def test_too_few_pictures_or_another_width_are_an_error() -> None:
    with pytest.raises(InvalidInputError, match="more than 3 pictures for 3 neighbours, got 3"):
        count_in_balls(torch.zeros(9, 2), torch.zeros(3, 2), 3)
    with pytest.raises(InvalidInputError, match="one width"):
        count_in_balls(torch.zeros(9, 2), torch.zeros(9, 3), 3)
