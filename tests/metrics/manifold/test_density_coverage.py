import numpy as np
import pytest
import torch

from latelier.metrics.manifold.density_coverage import density_coverage


def draw(count: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.5])
def test_it_is_the_paper_s_formula(scale: float) -> None:
    x, y = draw(120, 1).double().numpy(), draw(150, 0, scale).double().numpy()
    distances = np.linalg.norm(x[:, None] - x, axis=2)
    radii = np.sort(distances, axis=1)[:, 5]  # of the fifth neighbour; the first is itself
    inside = np.linalg.norm(x[:, None] - y, axis=2) <= radii[:, None]
    density, covered = density_coverage(torch.from_numpy(y), torch.from_numpy(x))
    assert float(density.mean()) == pytest.approx(inside.sum() / (5 * 150), rel=1e-5)
    assert float(covered.double().mean()) == pytest.approx(inside.any(1).mean(), rel=1e-5)


def test_an_outlier_of_the_reference_counts_little() -> None:
    reference = torch.cat([draw(100, 0), torch.full((1, 8), 30.0)])  # its ball holds everything
    density, covered = density_coverage(draw(50, 1) + 12, reference)
    assert float(density.mean()) == pytest.approx(0.2)
    assert covered.tolist() == [False] * 100 + [True]


def test_the_same_distribution_has_density_one() -> None:
    density, covered = density_coverage(draw(1000, 0), draw(1000, 1))
    assert float(density.mean()) == pytest.approx(1, abs=0.05)
    assert float(covered.double().mean()) > 0.9
