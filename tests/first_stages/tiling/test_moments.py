import pytest
import torch
from torch import Tensor, nn

from latelier.first_stages.tiling.moments import Moments, normalize_by


def group_norm() -> nn.GroupNorm:
    norm = nn.GroupNorm(3, 12, eps=1e-6)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        norm.weight.normal_(generator=generator)
        norm.bias.normal_(generator=generator)
    return norm


def a_map(offset: float) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    scales = torch.rand(2, 12, 1, 1, generator=generator)
    return torch.randn(2, 12, 9, 14, generator=generator) * scales + offset


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_moments_of_tiles_equal_those_of_the_whole(offset):
    norm, x = group_norm(), a_map(offset)
    moments = Moments()
    for rows in x.split([1, 5, 3], dim=2):
        for piece in rows.split([4, 10], dim=3):
            moments.add(piece)
    expected = norm.double()(x.double()).float()
    found = normalize_by({norm: moments})(norm, x)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * (1 + offset))
    at_once = normalize_by({norm: Moments.of(x)})(norm, x)
    torch.testing.assert_close(found, at_once, rtol=0, atol=1e-6 * (1 + offset))


def test_each_image_has_its_own_moments():
    norm, x = group_norm(), a_map(0.0)
    changed = x.clone()
    changed[1] *= 3
    normalize = normalize_by({norm: Moments.of(x)}), normalize_by({norm: Moments.of(changed)})
    assert torch.equal(normalize[0](norm, x)[0], normalize[1](norm, x)[0])
    assert not torch.equal(normalize[0](norm, x)[1], normalize[1](norm, x)[1])


def test_a_norm_is_computed_in_float32_and_returned_in_its_dtype():
    norm, x = group_norm(), a_map(3.0).bfloat16()
    found = normalize_by({norm: Moments.of(x)})(norm, x)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), norm(x.float()), rtol=0.01, atol=0.01)
