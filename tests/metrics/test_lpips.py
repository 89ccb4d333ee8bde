from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.metrics import lpips as module
from latelier.metrics.lpips import Lpips, load_lpips

INDICES = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
"""Of the convolutions in torchvision's vgg16."""

SLICES = [1, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]
"""The slice of each in the package lpips."""


def pictures(side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(2, 3, side, side, generator=generator) * 2 - 1 for _ in range(2))
    return a, b


@pytest.fixture(scope="module", params=["narrow"])
def network(request) -> Iterator[Lpips]:
    """Random weights; "narrow": with a sixteenth of the channels, which load faster."""
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "narrow":
            narrow = tuple(tuple(channels // 16 for channels in stage) for stage in module.STAGES)
            patch.setattr(module, "STAGES", narrow)
        yield draw_weights()


def draw_weights() -> Lpips:
    network = Lpips()
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    for linear in network.linears:
        nn.init.uniform_(linear.weight)
    return network.freeze()


@pytest.fixture(scope="module")
def vgg_file(network, tmp_path_factory) -> Path:
    """The weights of VGG16 as torchvision names them, with a layer that LPIPS does not have."""
    path = tmp_path_factory.mktemp("vgg") / "vgg16.safetensors"
    state = {k: v for k, v in network.state_dict().items() if k.startswith("features.")}
    save_file({**state, "classifier.0.bias": torch.zeros(3)}, path)
    return path


@pytest.fixture(scope="module")
def linear_file(network, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("linear") / "vgg.pth"
    torch.save({f"lin{k}.model.1.weight": m.weight for k, m in enumerate(network.linears)}, path)
    return path


def published_names(network: Lpips, prefix: str = "") -> dict[str, torch.Tensor]:
    """The state dict as the package lpips and CompVis name it."""
    state = network.state_dict()
    named = {
        f"{prefix}net.slice{part}.{index}.{what}": state[f"features.{index}.{what}"]
        for index, part in zip(INDICES, SLICES, strict=True)
        for what in ("weight", "bias")
    }
    linears = {f"{prefix}lin{k}.model.1.weight": m.weight for k, m in enumerate(network.linears)}
    return {**named, **linears, f"{prefix}scaling_layer.shift": torch.zeros(1, 3, 1, 1)}


def test_the_distance_is_the_paper_s(network):
    images, references = pictures()
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(3, 1, 1)
    x, y = (images - shift) / scale, (references - shift) / scale
    expected, linears = torch.zeros(2), iter(network.linears)
    for index, layer in enumerate(network.features):
        x, y = layer(x), layer(y)
        if index in (3, 8, 15, 22, 29):  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
            unit_x = x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
            unit_y = y / (y.square().sum(1, keepdim=True).sqrt() + 1e-10)
            weights = next(linears).weight.view(1, -1, 1, 1)
            expected += (weights * (unit_x - unit_y) ** 2).sum(1).mean((1, 2))
    torch.testing.assert_close(network(images, references), expected)


@pytest.mark.parametrize("network", ["full"], indirect=True)
def test_it_agrees_with_the_package_lpips(network, run_peer):
    images, references = pictures()
    state = {k: v for k, v in published_names(network).items() if "scaling" not in k}
    expected = run_peer(
        "similarity:lpips_distance", images=images, references=references, state=state
    )
    torch.testing.assert_close(network(images, references), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("prefix", ["", "loss.perceptual_loss."])
def test_weights_load_under_each_published_name(network, vgg_file, linear_file, tmp_path, prefix):
    path = tmp_path / "lpips.safetensors"
    save_file(published_names(network, prefix), path)
    images, references = pictures()
    expected = network(images, references)
    assert torch.equal(load_lpips([path])(images, references), expected)


def test_files_add_up(network, vgg_file, linear_file):
    images, references = pictures()
    expected = network(images, references)
    assert torch.equal(load_lpips([vgg_file, linear_file])(images, references), expected)


def test_only_the_image_has_a_gradient_and_equal_images_have_a_finite_one(network):
    images, _ = pictures()
    images.requires_grad_(True)
    network(images, images.detach()).sum().backward()
    assert torch.isfinite(images.grad).all()
    assert not any(p.requires_grad for p in network.parameters())
    assert not network.train().training


def test_files_without_all_weights_are_an_error(vgg_file, linear_file, tmp_path):
    with pytest.raises(ModelFileError, match=r"vgg16\.safetensors: expected the linear weights"):
        load_lpips([vgg_file])
    with pytest.raises(ModelFileError, match=r"vgg\.pth: expected the weights of VGG16"):
        load_lpips([linear_file])
    with pytest.raises(ModelFileError, match="not found"):
        load_lpips([tmp_path / "missing.pth"])


def test_weights_of_another_network_are_an_error(tmp_path):
    other = tmp_path / "alexnet.safetensors"
    linear = torch.zeros(1, 64, 1, 1)
    save_file(
        {"features.0.weight": torch.zeros(64, 3, 11, 11), "lin0.model.1.weight": linear}, other
    )
    with pytest.raises(ModelFileError, match=r"alexnet\.safetensors: .* do not fit"):
        load_lpips([other])


def test_small_images_are_an_error(network):
    with pytest.raises(InvalidInputError, match="at least 16"):
        network(*pictures(15))
