import numpy as np
import pytest

from latelier.contracts.images.random_masks import random_mask


@pytest.mark.parametrize("size", [(64, 64), (96, 32), (16, 40), (9, 7)])
@pytest.mark.parametrize("share", [(0.1, 0.6), (0.4, 0.5), (0.02, 0.1), (0.9, 0.96)])
def test_the_share_is_within_its_bounds(size: tuple[int, int], share: tuple[float, float]) -> None:
    for seed in range(25):
        mask = random_mask(size, share, np.random.default_rng(seed))
        assert (mask.mode, mask.size) == ("L", size)
        assert set(mask.tobytes()) <= {0, 255}
        covered = (np.asarray(mask) == 255).mean()
        pixel = 1 / (size[0] * size[1])
        assert share[0] - pixel <= covered <= share[1] + pixel


def test_masks_depend_on_the_generator_and_differ() -> None:
    def masks(seed: int) -> list[bytes]:
        rng = np.random.default_rng(seed)
        return [random_mask((48, 48), (0.1, 0.6), rng).tobytes() for _ in range(20)]

    assert masks(3) == masks(3)
    assert len(set(masks(3))) == 20


def test_masks_cover_the_whole_picture_and_all_shares() -> None:
    rng = np.random.default_rng(0)
    masks = [np.asarray(random_mask((32, 32), (0.1, 0.6), rng)) == 255 for _ in range(300)]
    often = np.mean(masks, axis=0)
    assert often.min() > 0.05
    assert often.max() < 0.8
    shares = [mask.mean() for mask in masks]
    assert min(shares) < 0.2
    assert max(shares) > 0.5


def test_some_masks_are_boxes_and_some_are_not() -> None:
    rng = np.random.default_rng(0)

    def straight(mask: np.ndarray) -> bool:
        rows = {row.tobytes() for row in mask}
        return len(rows) < 16

    kinds = [straight(np.asarray(random_mask((64, 64), (0.1, 0.6), rng))) for _ in range(100)]
    assert 25 < sum(kinds) < 75
