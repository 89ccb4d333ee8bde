import math

import pytest
import torch

from latelier.denoisers.embeddings import embed_positions, patch_coordinates

CPU = torch.device("cpu")


def test_at_the_trained_size_coordinates_are_integers() -> None:
    assert patch_coordinates(4, 4, 4, CPU).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((8, 8), [-0.25, 3.25], [-0.25, 3.25]),  # twice as fine: half a patch apart
        ((2, 2), [0.5, 2.5], [0.5, 2.5]),
        ((2, 4), [1, 2], [0, 3]),  # a band across the middle
        ((8, 2), [-0.25, 3.25], [1.25, 1.75]),
        ((1, 1), [1.5, 1.5], [1.5, 1.5]),
    ],
)
def test_at_other_sizes_coordinates_are_scaled_to_the_trained_square(
    size: tuple[int, int], rows: list[float], columns: list[float]
) -> None:
    for side, ends in zip(size, (rows, columns), strict=True):
        found = patch_coordinates(side, max(size), 4, CPU)
        assert [found[0].item(), found[-1].item()] == ends
        assert len(found) == side


def test_patch_distances_are_equal_in_both_directions() -> None:
    for side in (3, 12):
        steps = patch_coordinates(side, 12, 8, CPU).diff()
        torch.testing.assert_close(steps, torch.full((side - 1,), 8 / 12))


def test_columns_and_rows_have_sines_then_cosines() -> None:
    """Patch (2, 1) of a size (3, 4) that was trained at 4: row 2.5, column 1."""
    found = embed_positions((3, 4), 8, 4, CPU)
    assert found.shape == (12, 8)
    expected = [f(at * w) for at in (1, 2.5) for f in (math.sin, math.cos) for w in (1, 0.01)]
    torch.testing.assert_close(found[2 * 4 + 1], torch.tensor(expected))


def test_positions_equal_those_of_diffusers_at_the_trained_size() -> None:
    embeddings = pytest.importorskip("diffusers.models.embeddings")
    expected = embeddings.get_2d_sincos_pos_embed(64, 16, base_size=16, output_type="pt")
    result = embed_positions((16, 16), 64, 16, CPU)
    torch.testing.assert_close(result, expected.float(), rtol=1e-5, atol=1e-5)
