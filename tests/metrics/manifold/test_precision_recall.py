import pytest
import torch

from latelier.metrics.manifold.precision_recall import precision_recall


def draw(count: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize(("scale", "neighbors"), [(0.6, 3), (1.0, 5), (1.5, 3)])
def test_it_agrees_with_torch_fidelity(run_peer, scale: float, neighbors: int) -> None:
    pictures, reference = draw(200, 0, scale), draw(150, 1)
    expected = run_peer(
        "fidelity:precision_recall", generated=pictures, real=reference, neighbors=neighbors
    )
    measured = precision_recall(pictures, reference, neighbors)
    assert [float(each.double().mean()) for each in measured] == pytest.approx(expected, rel=1e-5)
    assert 0 < expected[0] < 1


def test_the_reference_itself_has_one() -> None:
    realistic, found = precision_recall(draw(50, 0), draw(50, 0))
    assert realistic.all()
    assert found.all()


def test_pictures_elsewhere_have_zero() -> None:
    realistic, found = precision_recall(draw(50, 0) + 100, draw(50, 1))
    assert not realistic.any()
    assert not found.any()


def test_a_part_of_the_reference_is_precise_but_misses_the_rest() -> None:
    near, far = draw(50, 0), draw(50, 1) + 100
    realistic, found = precision_recall(near, torch.cat([near, far]))
    assert realistic.all()
    assert found.tolist() == [True] * 50 + [False] * 50
