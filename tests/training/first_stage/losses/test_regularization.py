import math
from typing import Any

import pytest
import torch

from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import (
    AutoencoderKLConfig,
    AutoencoderVQConfig,
    IdentityConfig,
)
from latelier.first_stages.identity import Identity
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.losses.regularization import (
    kl_divergence,
    make_regularization,
    perplexity,
)
from latelier.training.randomness import Draws, Purpose

SHAPE: dict[str, Any] = {"ch": 4, "ch_mult": (1, 1), "num_res_blocks": 1, "num_groups": 2}
DRAWS = Draws(seed=0, step=0, indices=[0, 1])
IMAGES = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1

CODE_IMAGES = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1


def training(**changes: Any) -> FirstStageTraining:
    values = {"out": "unused", "steps": 10, "first_stage": {"id": "unused"}, **changes}
    return FirstStageTraining.model_validate(values)


def kl_autoencoder() -> AutoencoderKL:
    torch.manual_seed(0)
    return AutoencoderKL(AutoencoderKLConfig(**SHAPE, scale_factor=0.5))


def bare_autoencoder() -> AutoencoderKL:
    return AutoencoderKL(AutoencoderKLConfig(**SHAPE, use_post_quant_conv=False))


def vq_autoencoder() -> AutoencoderVQ:
    torch.manual_seed(0)
    return AutoencoderVQ(AutoencoderVQConfig(**SHAPE, embed_dim=2, n_embed=2, scale_factor=0.5))


def test_kl_of_a_shifted_unit_normal_is_half_the_squared_shift():
    assert kl_divergence(torch.tensor([2.0]), torch.tensor([0.0])).item() == 2.0


def test_gaussian_latents_are_samples_of_the_posterior():
    autoencoder = kl_autoencoder()
    result = make_regularization(autoencoder, training(kl_weight=0.1)).reconstruct(IMAGES, DRAWS)
    noise = DRAWS.normal(Purpose.POSTERIOR, (4, 4, 4))
    latents = autoencoder.sample(IMAGES, noise)
    torch.testing.assert_close(result.latents, latents)
    torch.testing.assert_close(result.reconstructions, autoencoder.decode(latents))
    kl = kl_divergence(*autoencoder.posterior(IMAGES))
    torch.testing.assert_close(result.terms["kl"], kl)
    torch.testing.assert_close(result.loss, 0.1 * kl)


def test_the_paper_s_weight_is_that_of_the_sum_over_an_image():
    autoencoder = kl_autoencoder()
    config = training(kl_weight=0.5, reduction="sum")
    result = make_regularization(autoencoder, config).reconstruct(IMAGES, DRAWS)
    mean, logvar = autoencoder.posterior(IMAGES)
    sums = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum((1, 2, 3))
    values = 3 * 8 * 8
    torch.testing.assert_close(result.loss * values, 0.5 * sums.mean())


def test_quantized_latents_have_the_codebook_and_the_commitment_loss():
    autoencoder = vq_autoencoder()
    codes = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    autoencoder.quantize.embedding.weight.data.copy_(codes)
    with torch.no_grad():  # all latents are (0.9, 0.8): nearest to the second code
        autoencoder.quant_conv.weight.zero_()
        autoencoder.quant_conv.bias.copy_(torch.tensor([0.9, 0.8]))
    config = training(codebook_weight=2.0)
    result = make_regularization(autoencoder, config).reconstruct(IMAGES, DRAWS)
    squared = (0.1**2 + 0.2**2) / 2
    assert result.terms["codebook"].item() == pytest.approx(1.25 * squared)
    assert result.loss.item() == pytest.approx(2 * 1.25 * squared)
    assert result.terms["perplexity"].item() == pytest.approx(1)
    torch.testing.assert_close(result.latents[0, :, 0, 0], torch.tensor([0.45, 0.4]))
    torch.testing.assert_close(result.reconstructions, autoencoder.decode(result.latents))

    # the gradient of the reconstructions passes straight to the encoder, not to the codes
    result.reconstructions.sum().backward(retain_graph=True)
    assert autoencoder.quantize.embedding.weight.grad is None
    assert autoencoder.quant_conv.bias.grad.abs().sum() > 0

    # the codebook loss moves the second code only: d/dcode of 2 * 0.25 * mean (code - z)^2
    result.loss.backward()
    grad = autoencoder.quantize.embedding.weight.grad
    torch.testing.assert_close(grad, torch.tensor([[0.0, 0.0], [0.05, 0.1]]))


def test_quantization_starts_with_codes_drawn_from_the_latents():
    autoencoder = vq_autoencoder()
    config = training(codebook_start=0.5)
    regularization = make_regularization(autoencoder, config, [CODE_IMAGES])
    early = regularization.reconstruct(IMAGES, Draws(seed=0, step=4, indices=[0, 1]))
    latents = autoencoder.encode(IMAGES)
    torch.testing.assert_close(early.reconstructions, autoencoder.decode_unquantized(latents))
    assert early.loss.item() == 0
    assert early.terms["perplexity"].isnan()

    published = autoencoder.quantize.embedding.weight.clone()
    regularization.reconstruct(IMAGES, Draws(seed=0, step=5, indices=[0, 1]))
    drawn = autoencoder.quantize.embedding.weight.clone()
    assert not torch.equal(drawn, published)

    with torch.no_grad():
        autoencoder.quantize.embedding.weight.zero_()
    for step in (5, 6):  # another micro-batch, and a later step
        regularization.reconstruct(IMAGES, Draws(seed=0, step=step, indices=[2, 3]))
    assert autoencoder.quantize.embedding.weight.abs().sum() == 0

    resumed = make_regularization(autoencoder, config, [CODE_IMAGES])
    resumed.reconstruct(IMAGES, Draws(seed=0, step=5, indices=[0, 1]))
    assert torch.equal(autoencoder.quantize.embedding.weight, drawn)


def test_a_run_that_is_resumed_later_keeps_its_codes():
    autoencoder = vq_autoencoder()
    config = training(codebook_start=0.5)
    regularization = make_regularization(autoencoder, config, [CODE_IMAGES])
    trained = autoencoder.quantize.embedding.weight.clone()
    for step in (6, 5):
        regularization.reconstruct(IMAGES, Draws(seed=0, step=step, indices=[0, 1]))
    assert torch.equal(autoencoder.quantize.embedding.weight, trained)


def test_perplexity_counts_codes_that_occur_equally_often():
    assert perplexity(torch.tensor([5, 5, 0, 5, 5])).item() == pytest.approx(4)
    assert perplexity(torch.tensor([1, 1, 2])).item() == pytest.approx(math.exp(1.5 * math.log(2)))


@pytest.mark.parametrize(
    ("autoencoder", "changes", "words"),
    [
        (vq_autoencoder, {"kl_weight": 1e-6}, "kl_weight: .* autoencoder_vq"),
        (vq_autoencoder, {"whiten": True}, "whiten: .* autoencoder_vq"),
        (vq_autoencoder, {"reduction": "sum"}, "reduction: autoencoder_vq"),
        (kl_autoencoder, {"codebook_weight": 1.0}, "codebook_weight: .* autoencoder_kl"),
        (kl_autoencoder, {"codebook_start": 0.1}, "codebook_start: .* autoencoder_kl"),
        (bare_autoencoder, {"whiten": True}, "whiten: changes quant_conv .* lacks"),
    ],
)
def test_settings_of_the_other_kind_are_an_error(autoencoder, changes, words):
    with pytest.raises(InvalidConfigError, match=words):
        make_regularization(autoencoder(), training(**changes))


def test_a_first_stage_without_latents_to_regularize_is_an_error():
    with pytest.raises(CompatibilityError, match="autoencoder_kl"):
        make_regularization(Identity(IdentityConfig()), training())
