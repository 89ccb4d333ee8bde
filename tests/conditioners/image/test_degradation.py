"""The degradations: shapes, ranges, statistics, and that all follows from the generator."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from latelier_conditioners.image import degradation
from latelier_conditioners.image.degradation import (
    add_noise,
    bicubic,
    blur,
    degrade,
    gaussian,
    jpeg,
    resize_randomly,
)


def random_image(height: int = 64, width: int = 64) -> torch.Tensor:
    pixels = np.random.default_rng(0).random((3, height, width), dtype=np.float32)
    return torch.from_numpy(pixels * 2 - 1)


def high_frequencies(x: torch.Tensor) -> float:
    return float(x.diff(dim=1).square().mean() + x.diff(dim=2).square().mean())


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("size", [(64, 64), (37, 90), (90, 37), (33, 33)])
def test_the_result_is_smaller_by_the_factor(factor: int, size: tuple[int, int]) -> None:
    image = random_image(*size)
    for seed in range(4):
        small = degrade(image, factor, np.random.default_rng(seed))
        assert small.shape == (3, size[0] // factor, size[1] // factor)
        assert small.dtype == torch.float32
        assert small.abs().max() <= 1
    assert bicubic(image, factor).shape == small.shape


def test_results_depend_on_the_generator_only() -> None:
    image = random_image()
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tobytes()  # type: ignore[index]
    several = [degrade(image, 4, np.random.default_rng(seed)) for seed in range(12)]
    again = [degrade(image, 4, np.random.default_rng(seed)) for seed in range(12)]
    assert all(torch.equal(a, b) for a, b in zip(several, again, strict=True))
    assert len({each.numpy().tobytes() for each in several}) == 12
    assert torch.equal(torch.get_rng_state(), state)
    assert np.random.get_state()[1].tobytes() == numpy_state  # type: ignore[index]


def test_the_input_is_not_changed() -> None:
    image = random_image()
    before = image.clone()
    degrade(image, 4, np.random.default_rng(0))
    assert torch.equal(image, before)


def test_degradation_does_not_shift_or_mirror() -> None:
    """A ramp to the right that is green below keeps its place through every order of slots."""
    ramp = torch.linspace(-0.8, 0.8, 96).expand(3, 64, 96).clone()
    ramp[1] = torch.linspace(-0.8, 0.8, 64)[:, None]
    expected = bicubic(ramp, 4)
    mean = torch.stack([degrade(ramp, 4, np.random.default_rng(k)) for k in range(60)]).mean(0)
    inner = (mean - expected)[:, 3:-3, 3:-3]
    assert inner.abs().max() < 0.03


def test_jpeg_compression_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def spied(x: torch.Tensor, quality: int) -> torch.Tensor:
        assert 80 <= quality <= 95
        written.append(jpeg(x, quality))
        return written[-1]

    monkeypatch.setattr(degradation, "jpeg", spied)
    times = []
    for seed in range(60):
        written.clear()
        small = degrade(random_image(), 4, np.random.default_rng(seed))
        assert torch.equal(small, written[-1] * 2 - 1)
        times.append(len(written))
    assert set(times) == {1, 2}
    assert 0.75 < times.count(2) / 60 < 1


def test_random_resizing_comes_before_the_final_resize() -> None:
    orders = [tuple(degradation.slot_order(np.random.default_rng(k))) for k in range(2000)]
    assert all(order.index(1) < order.index(2) for order in orders)
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(set(orders)) == 60


def test_jpeg_equals_pillow() -> None:
    x = random_image() / 2 + 0.5
    levels = (x * 255).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(levels)).save(file, "JPEG", quality=85)
    assert np.array_equal(
        (jpeg(x, 85) * 255).round().byte().permute(1, 2, 0).numpy(), np.asarray(Image.open(file))
    )


def test_noise_has_the_published_levels_and_kinds() -> None:
    grey = torch.full((3, 96, 96), 0.5)
    kinds = {"grey": 0, "colour": 0, "correlated": 0}
    for seed in range(400):
        noise = add_noise(grey, np.random.default_rng(seed)) - 0.5
        deviation = noise.std(dim=(1, 2)) * 255
        level = deviation.mean().round()
        assert abs(float(noise.mean()) * 255) < 0.15
        if (deviation - level).abs().max() > 0.07:
            kinds["correlated"] += 1
            assert deviation.max() < 2.1
        else:
            assert level in (1, 2)
            kinds["grey" if torch.equal(noise[0], noise[1]) else "colour"] += 1
    shares = {kind: count / 400 for kind, count in kinds.items()}
    assert shares == pytest.approx({"grey": 0.4, "colour": 0.4, "correlated": 0.2}, abs=0.07)


def test_blur_reduces_high_frequencies_and_keeps_the_mean() -> None:
    x = random_image() / 2 + 0.5
    ratios = []
    for seed in range(60):
        soft = blur(x, 4, np.random.default_rng(seed))
        assert soft.mean() == pytest.approx(float(x.mean()), abs=0.01)
        assert soft.min() >= 0
        ratios.append(high_frequencies(soft) / high_frequencies(x))
    assert max(ratios) < 1.0 + 1e-5
    assert min(ratios) < 0.1
    assert max(ratios) > 0.5


def test_kernels_have_the_requested_moments() -> None:
    kernel = gaussian(41, (9.0, 2.0), angle=np.pi / 6, centre=1.5)
    across = torch.arange(41.0) - 20
    assert float(kernel.sum()) == pytest.approx(1, abs=1e-5)
    mean_x, mean_y = (kernel.sum(0) * across).sum(), (kernel.sum(1) * across).sum()
    assert (float(mean_x), float(mean_y)) == pytest.approx((1.5, 1.5), abs=1e-3)
    var_x = float((kernel.sum(0) * (across - mean_x) ** 2).sum())
    var_y = float((kernel.sum(1) * (across - mean_y) ** 2).sum())
    both = float(torch.einsum("yx,y,x->", kernel, across - mean_y, across - mean_x))
    assert (var_x, var_y, both) == pytest.approx((7.25, 3.75, 7 * np.sqrt(3) / 4), rel=0.01)


def test_the_narrowest_kernels_change_nothing() -> None:
    assert torch.equal(gaussian(5, (0.0, 0.0)), torch.eye(5)[2, :, None] * torch.eye(5)[2])


@pytest.mark.parametrize("factor", [2, 4])
def test_subsampling_does_not_shift(factor: int) -> None:
    ramp = torch.linspace(0, 1, 96).expand(3, 96, 96).clone()
    ramp[1] = ramp[0].T
    means = ramp.view(3, 96 // factor, factor, 96 // factor, factor).mean(dim=(2, 4))
    tried = [resize_randomly(ramp, factor, np.random.default_rng(seed)) for seed in range(60)]
    thinned = [small for small in tried if small.shape == means.shape]
    assert thinned
    border = 14 // factor + 1
    inner = slice(border, -border)
    for small in thinned:
        torch.testing.assert_close(
            small[:, inner, inner], means[:, inner, inner], rtol=0, atol=1e-3
        )


def test_random_resizing_reduces_the_size() -> None:
    sizes = [
        resize_randomly(random_image(), 4, np.random.default_rng(k)).shape[1] for k in range(300)
    ]
    thinned = sizes.count(16) / 300
    assert 0.15 < thinned < 0.35
    assert min(sizes) < 10
    assert 40 < max(sizes) <= 64


def test_bicubic_equals_pillow() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (40, 24, 3), dtype=np.uint8)
    expected = Image.fromarray(levels).resize((6, 10), Image.Resampling.BICUBIC)
    ours = bicubic(torch.tensor(levels).permute(2, 0, 1) / 127.5 - 1, 4)
    difference = (ours + 1) * 127.5 - torch.tensor(np.asarray(expected)).permute(2, 0, 1)
    assert difference.abs().max() < 1.01
