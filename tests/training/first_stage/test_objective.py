from typing import Any

import pytest
import torch

from latelier import default_atelier
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.first_stage.objective import DISCRIMINATOR, AutoencoderObjective
from latelier.training.first_stage.train import plan_first_stage
from latelier.training.loop.plan import TrainingPlan
from latelier.training.objective import MODEL

KL = {
    "id": "autoencoder_kl",
    "config": {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4},
}
VQ = {"id": "autoencoder_vq", "config": {**KL["config"], "n_embed": 16}}
SMALL = {"layers": 1, "channels": 4}


def make_plan(**changes: Any) -> TrainingPlan:
    values = {
        "out": "unused",
        "steps": 10,
        "first_stage": KL,
        "data": {"config": {"size": 16}},
        **changes,
    }
    config = FirstStageTraining.model_validate(values)
    return plan_first_stage(config, default_atelier())


def make_objective(**changes: Any) -> AutoencoderObjective:
    objective = make_plan(**changes).objective
    assert isinstance(objective, AutoencoderObjective)
    return objective


def batch(rows: int = 3) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(rows, 3, 16, 16, generator=generator) * 2 - 1
    return {"image": image, "index": list(range(rows))}


def backward(objective: AutoencoderObjective, step: int, player: str) -> dict[str, torch.Tensor]:
    """Compute the gradients of a player as the loop does."""
    for name, module in objective.players.items():
        module.requires_grad_(name == player)
    terms = objective(batch(), step, player)
    terms["loss"].backward()
    return terms


def has_gradient(module: torch.nn.Module) -> bool:
    return any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_the_loss_is_the_weighted_sum_of_the_terms():
    objective = make_objective(terms={"absolute": 2.0, "squared": 0.5}, kl_weight=0.1)
    terms = objective(batch(), 0)
    expected = 2 * terms["absolute"] + 0.5 * terms["squared"] + 0.1 * terms["kl"]
    torch.testing.assert_close(terms["loss"], expected)
    assert dict(objective.players) == {MODEL: objective.trained}


@pytest.mark.parametrize("first_stage", [KL, VQ], ids=["kl", "vq"])
def test_each_player_has_only_gradients_of_its_own(first_stage):
    adversarial = {"start": 0, "discriminator": SMALL}
    objective = make_objective(first_stage=first_stage, adversarial=adversarial)
    discriminator = objective.players[DISCRIMINATOR]
    backward(objective, 0, DISCRIMINATOR)
    assert has_gradient(discriminator)
    assert all(p.grad is None for p in objective.trained.parameters())

    discriminator.zero_grad()
    backward(objective, 0, MODEL)
    assert has_gradient(objective.trained)
    assert all(p.grad is None for p in discriminator.parameters())


def test_the_adversarial_loss_has_the_adaptive_weight_of_the_paper():
    objective = make_objective(
        kl_weight=0.0,
        terms={"absolute": 1.0},
        adversarial={"start": 0, "weight": 0.5, "factor": 2.0, "discriminator": SMALL},
    )
    terms = backward(objective, 0, MODEL)
    layer = objective.autoencoder.decoder.conv_out.weight
    whole = layer.grad.clone()

    layer.grad = None
    plain = objective(batch(), 0)
    (reconstruction,) = torch.autograd.grad(plain["absolute"], layer, retain_graph=True)
    (adversarial,) = torch.autograd.grad(plain["adversarial"], layer)
    weight = 0.5 * 2.0 * reconstruction.norm() / (adversarial.norm() + 1e-4)
    torch.testing.assert_close(terms["adversarial_weight"], weight)
    torch.testing.assert_close(whole, reconstruction + weight * adversarial)
    torch.testing.assert_close(terms["loss"], terms["absolute"])  # only its gradient counts


def test_the_adaptive_weight_is_clamped_in_units_of_the_published_loss():
    changes: dict[str, Any] = {"adversarial": {"start": 0, "weight": 1.0, "discriminator": SMALL}}
    for reduction, limit in (("mean", 1e4), ("sum", 1e4 / (3 * 16 * 16))):
        objective = make_objective(reduction=reduction, **changes)
        with torch.no_grad():
            objective.players[DISCRIMINATOR].main[-1].weight.zero_()
        objective.reconstruction.weights = {"absolute": 1e6}
        terms = objective(batch(), 0)
        assert terms["adversarial_weight"].item() == pytest.approx(limit)


def test_without_adaptation_the_weight_is_the_configured_one():
    adversarial = {"start": 0, "weight": 0.3, "adaptive": False, "discriminator": SMALL}
    terms = make_objective(adversarial=adversarial)(batch(), 0)
    assert terms["adversarial_weight"].item() == pytest.approx(0.3)


def test_before_its_start_the_adversarial_loss_changes_nothing():
    plain = make_objective(terms={"absolute": 1.0})
    adversarial = {"start": 0.5, "discriminator": SMALL}
    objective = make_objective(terms={"absolute": 1.0}, adversarial=adversarial)
    objective.trained.load_state_dict(plain.trained.state_dict())
    torch.testing.assert_close(objective(batch(), 4)["loss"], plain(batch(), 4)["loss"])
    assert objective(batch(), 4)["adversarial"].isnan()
    assert not objective(batch(), 5)["adversarial"].isnan()

    terms = backward(objective, 4, DISCRIMINATOR)
    assert terms["loss"].item() == 0
    assert not has_gradient(objective.players[DISCRIMINATOR])


@pytest.mark.parametrize("loss", ["hinge", "vanilla"])
def test_the_discriminator_learns_to_tell_images_from_reconstructions(loss):
    adversarial = {"start": 0, "loss": loss, "discriminator": SMALL}
    objective = make_objective(adversarial=adversarial)
    discriminator = objective.players[DISCRIMINATOR]
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=0.01)
    for _ in range(20):
        optimizer.zero_grad()
        terms = backward(objective, 0, DISCRIMINATOR)
        optimizer.step()
    assert terms["real_logit"] > terms["fake_logit"] + 0.5


def test_equivariance_compares_shrunk_latents_with_shrunk_images():
    equivariance = {"weight": 0.5, "share": 0.5, "factors": [2]}
    objective = make_objective(kl_weight=0.0, terms={"absolute": 1.0}, equivariance=equivariance)
    terms = objective(batch(), 0)
    assert terms["equivariance"].isnan()
    torch.testing.assert_close(terms["loss"], terms["absolute"])

    with torch.no_grad():  # a posterior without variance
        objective.autoencoder.quant_conv.bias.chunk(2)[1].fill_(-30)
    terms = objective(batch(), 1)
    latents = torch.nn.functional.avg_pool2d(objective.autoencoder.encode(batch()["image"]), 2)
    small = torch.nn.functional.avg_pool2d(batch()["image"], 2)
    expected = (objective.autoencoder.decode(latents) - small).abs().mean()
    torch.testing.assert_close(terms["equivariance"], expected, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(terms["loss"], terms["absolute"] + 0.5 * terms["equivariance"])


@pytest.mark.parametrize("first_stage", [KL, VQ], ids=["kl", "vq"])
def test_in_the_last_part_only_the_decoder_learns(first_stage):
    objective = make_objective(
        first_stage=first_stage, decoder_only={"start": 0.5, "noise": 0.3}, equivariance={}
    )
    backward(objective, 4, MODEL)
    assert has_gradient(objective.autoencoder.encoder)
    objective.zero_grad()
    terms = backward(objective, 5, MODEL)
    autoencoder = objective.autoencoder
    for frozen in (autoencoder.encoder, autoencoder.quant_conv):
        assert all(p.grad is None for p in frozen.parameters())
    assert has_gradient(autoencoder.decoder)
    assert has_gradient(autoencoder.post_quant_conv)
    assert terms["equivariance"].isnan()


def test_the_noise_of_the_last_part_has_at_most_its_level():
    def error(noise: float) -> float:
        torch.manual_seed(0)
        objective = make_objective(decoder_only={"start": 0, "noise": noise})
        objective.autoencoder.decode = lambda latents: latents  # so that latents can be compared
        with torch.no_grad():  # as the frozen encoder: other kernels differ in the last bits
            clean = objective.autoencoder.encode(batch(512)["image"])
        result = objective._reconstruct(batch(512), 0)
        levels = (result.latents - clean).flatten(1).std(1) / clean.flatten(1).std(1)
        assert levels.max() < noise * 1.2 + 1e-9
        return float(levels.mean().detach())

    assert error(0.0) == 0
    assert error(0.4) == pytest.approx(0.2, rel=0.1)


def test_validation_measures_held_out_images():
    evaluator = make_plan(validation_images=3).evaluator
    evaluator.objective.eval()
    with torch.no_grad():
        found = evaluator.validate()
        assert list(found) == ["absolute", "psnr", "ssim"]
        assert found == evaluator.validate()


def test_the_discriminator_sees_the_reconstructions_of_the_same_step():
    objective = make_objective(adversarial={"start": 0, "discriminator": SMALL})
    objective(batch(), 0, MODEL)
    before = objective(batch(), 0, DISCRIMINATOR)["fake_logit"]
    with torch.no_grad():
        objective.autoencoder.decoder.conv_out.bias.add_(1)
    assert torch.equal(objective(batch(), 0, DISCRIMINATOR)["fake_logit"], before)
    assert not torch.equal(objective(batch(), 1, DISCRIMINATOR)["fake_logit"], before)


def test_the_description_names_the_losses_and_when_they_change():
    plan = make_plan(
        kl_weight=1e-6,
        reduction="sum",
        adversarial={"start": 0.6, "discriminator": SMALL},
        decoder_only={"start": 8, "noise": 0.2},
        equivariance={"share": 0.25},
    )
    first, losses, adversarial, last = plan.notes
    assert first.startswith("latelier/autoencoder_kl: 0.04 million weights, latents of 4 channels")
    assert losses == (
        "loss: 1 absolute + 1 edges + 1e-06 kl (sum) + 0.25 equivariance (25% of the steps)"
    )
    assert adversarial == "from step 6: 0.5 adversarial (hinge), on patches of 16 pixels"
    assert last == "from step 8: only the decoder learns, from latents with noise up to 0.2"


def test_the_discriminator_has_an_optimizer_of_its_own():
    adversarial = {"start": 0, "discriminator": SMALL, "optimizer": {"lr": 3e-4}}
    objective = make_objective(adversarial=adversarial)
    assert objective.optimizer_of(MODEL) is None
    found = objective.optimizer_of(DISCRIMINATOR)
    assert found is not None
    assert found.lr == 3e-4
