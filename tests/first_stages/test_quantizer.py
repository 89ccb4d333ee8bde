from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.first_stages.configs import AutoencoderVQConfig
from latelier.first_stages.quantizer import VectorQuantizer


def build_quantizer(**changes: Any) -> VectorQuantizer:
    """Ten codes on a line: code i is (i, -i)."""
    config = AutoencoderVQConfig.model_validate({"n_embed": 10, "embed_dim": 2, **changes})
    quantizer = VectorQuantizer(config)
    with torch.no_grad():
        steps = torch.arange(10.0)
        quantizer.embedding.weight.copy_(torch.stack([steps, -steps], dim=1))
    return quantizer


def points() -> Tensor:
    """Six points (1, 2, 2, 3), each near one code."""
    steps = torch.tensor([[0.2, 1.1, 8.9], [4.4, 20.0, -3.0]])
    return torch.stack([steps, -steps])[None]


NEAREST = [[[0, 1, 9], [4, 9, 0]]]


def test_each_position_maps_to_the_nearest_code():
    result = build_quantizer()(points())
    assert result.indices.tolist() == NEAREST
    torch.testing.assert_close(result.latents, build_quantizer().look_up(torch.tensor(NEAREST)))


def test_the_value_is_z_plus_the_difference():
    z = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    quantizer = build_quantizer()
    with torch.no_grad():
        quantizer.embedding.weight.mul_(0.3)
    codes = quantizer.look_up(quantizer.nearest_codes(z))
    value = quantizer(z).latents
    assert torch.equal(value, z + (codes - z))
    assert not torch.equal(value, codes)


def test_nearby_codes_far_from_the_origin_are_distinguished():
    quantizer = build_quantizer()
    with torch.no_grad():
        quantizer.embedding.weight.mul_(1e-3).add_(300.0)
        z = quantizer.look_up(torch.arange(10).view(1, 2, 5))
    assert quantizer.nearest_codes(z).flatten().tolist() == list(range(10))


def test_many_positions_are_looked_up_in_chunks():
    z = torch.randn(1, 2, 70, 70, generator=torch.Generator().manual_seed(0)) * 4
    quantizer = build_quantizer()
    distances = (z[:, None] - quantizer.embedding.weight.view(1, 10, 2, 1, 1)).norm(dim=2)
    assert torch.equal(quantizer.nearest_codes(z), distances.argmin(dim=1))


def test_the_gradient_passes_straight_to_z():
    z = points().requires_grad_()
    grads = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    (through,) = torch.autograd.grad((build_quantizer()(z).latents * grads).sum(), z)
    assert torch.equal(through, grads)


@pytest.mark.parametrize(("legacy", "weights"), [(True, (1.0, 0.3)), (False, (0.3, 1.0))])
def test_beta_weights_the_codebook_term_in_the_published_models(legacy, weights):
    quantizer = build_quantizer(beta=0.3, legacy=legacy)
    z = points().requires_grad_()
    codes = quantizer.look_up(quantizer.nearest_codes(z)).detach()
    quantizer(z).loss.backward()
    commitment, codebook = weights
    torch.testing.assert_close(z.grad, commitment * 2 * (z.detach() - codes) / z.numel())
    pull = (codes - z.detach())[0, :, 0, 2] + (codes - z.detach())[0, :, 1, 1]  # both near code 9
    torch.testing.assert_close(quantizer.embedding.weight.grad[9], codebook * 2 * pull / z.numel())
    assert quantizer(z).loss.item() == pytest.approx(
        (sum(weights) * ((z - codes) ** 2).mean()).item(), rel=1e-5
    )


def test_the_codebook_starts_uniform_within_one_over_its_size():
    codes = VectorQuantizer(AutoencoderVQConfig(n_embed=500, embed_dim=4)).embedding.weight
    assert codes.abs().max() <= 1 / 500
    assert codes.std().item() == pytest.approx(1 / 500 / 3**0.5, rel=0.05)


@pytest.mark.parametrize("values", [{"beta": -1}, {"n_embed": 0}])
def test_invalid_configurations_are_refused(values):
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        validate(AutoencoderVQConfig, values, "first stage")
