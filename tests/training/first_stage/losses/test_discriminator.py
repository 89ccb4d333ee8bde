import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.configs.first_stage import DiscriminatorConfig
from latelier.training.first_stage.losses.discriminator import (
    ActNorm,
    PatchDiscriminator,
    check_field,
    receptive_field,
)


def test_the_published_discriminator_has_its_size_and_names():
    published = PatchDiscriminator(DiscriminatorConfig())
    shapes = {name: tuple(t.shape) for name, t in published.state_dict().items()}
    assert shapes["main.0.weight"] == (64, 3, 4, 4)
    assert shapes["main.2.weight"] == (128, 64, 4, 4)
    assert shapes["main.3.running_mean"] == (128,)
    assert shapes["main.8.weight"] == (512, 256, 4, 4)
    assert shapes["main.11.weight"] == (1, 512, 4, 4)
    assert "main.2.bias" not in shapes  # batch norm has its own
    assert sum(p.numel() for p in published.parameters()) == 2_765_633
    assert published(torch.zeros(2, 3, 256, 256)).shape == (2, 1, 30, 30)


@pytest.mark.parametrize(("layers", "field"), [(1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_its_receptive_field(layers, field):
    assert receptive_field(layers) == field
    config = DiscriminatorConfig(layers=layers, channels=2, norm="act")
    discriminator = PatchDiscriminator(config)
    discriminator(torch.randn(1, 3, 80, 80))
    image = torch.zeros(1, 3, 160, 160, requires_grad=True)
    logits = discriminator(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    seen = image.grad.abs().sum((0, 1)).nonzero()
    assert (seen.amax(0) - seen.amin(0) + 1).tolist() == [field, field]


def test_act_norm_normalizes_the_first_batch_only():
    norm = ActNorm(2)
    first = 3 + 2 * torch.randn(4, 2, 8, 8)
    h = norm(first)
    assert h.mean((0, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-5)
    assert h.std((0, 2, 3)).tolist() == pytest.approx([1, 1], abs=1e-3)
    assert torch.equal(norm(first), h)
    assert norm(first + 1).mean().item() > 0.2


@pytest.mark.parametrize("norm", ["batch", "group", "act"])
def test_each_norm_gives_logits_and_gradients(norm):
    discriminator = PatchDiscriminator(DiscriminatorConfig(layers=2, channels=6, norm=norm))
    discriminator(torch.randn(2, 3, 34, 34)).mean().backward()
    assert all(p.grad is not None for p in discriminator.parameters())


def test_images_smaller_than_the_field_are_an_error():
    check_field(DiscriminatorConfig(layers=2), 34, 64)
    with pytest.raises(InvalidConfigError, match=r"70 pixels, but the images are 64 x 64; use .*2"):
        check_field(DiscriminatorConfig(layers=3), 64, 64)
    with pytest.raises(InvalidConfigError, match="larger images"):
        check_field(DiscriminatorConfig(layers=1), 8, 8)
