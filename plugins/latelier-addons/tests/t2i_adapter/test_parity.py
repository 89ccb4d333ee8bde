"""T2I-Adapters against diffusers, all weights redrawn: folders, files and the original layout."""

import re
from dataclasses import replace

import pytest
import torch
from latelier.contracts.components import Control

SD = {"channels": [32, 64, 64, 64]}
VARIANTS = {
    "full": ("sd4", {**SD, "adapter_type": "full_adapter"}),
    "grey": ("sd4", {**SD, "in_channels": 1}),
    "light": (
        "sd4",
        {"channels": [32, 64, 64], "num_res_blocks": 4, "adapter_type": "light_adapter"},
    ),
    "full_xl": (
        "xl",
        {"channels": [32, 64, 128, 128], "downscale_factor": 16, "adapter_type": "full_adapter_xl"},
    ),
    "grey_xl": (
        "xl",
        {
            "in_channels": 1,
            "channels": [32, 64, 128, 128],
            "downscale_factor": 16,
            "adapter_type": "full_adapter_xl",
        },
    ),
}


@pytest.fixture
def new_adapter(redraw):
    def make(variant):
        from diffusers import T2IAdapter

        return redraw(T2IAdapter(**VARIANTS[variant][1]), std=0.04)

    return make


def to_original(tensors):
    """Return the tensors under the names of the original code."""

    def rename(name):
        name = name.removeprefix("adapter.")
        if "adapter.body.0.out_conv.weight" in tensors:
            return name.replace(".resnets.", ".body.")
        name = re.sub(r"body\.(\d+)\.in_conv", lambda m: f"body.{2 * int(m[1])}.in_conv", name)
        return re.sub(
            r"body\.(\d+)\.resnets\.(\d+)", lambda m: f"body.{2 * int(m[1]) + int(m[2])}", name
        )

    return {rename(name): tensor for name, tensor in tensors.items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_unet_is_steered_as_in_diffusers(
    models, new_adapter, import_adapter, pixels, cells, variant, tmp_path
):
    own, theirs = models(VARIANTS[variant][0]), new_adapter(variant)
    theirs.save_pretrained(tmp_path / "sketch")
    module = import_adapter(tmp_path / "sketch", own.ours).adapter.module
    check_agreement(own, theirs, module, pixels, cells)


@pytest.mark.parametrize("variant", ["full", "light"])
def test_pictures_whose_sides_are_odd_multiples_of_8(
    models, new_adapter, import_adapter, to_cells, variant, tmp_path
):
    own, theirs = models(VARIANTS[variant][0]), new_adapter(variant)
    theirs.save_pretrained(tmp_path / "sketch")
    module = import_adapter(tmp_path / "sketch", own.ours).adapter.module
    generator = torch.Generator().manual_seed(5)
    own = replace(own, x=torch.randn(2, 4, 13, 9, generator=generator))
    pixels = torch.rand(2, 3, 104, 72, generator=generator)
    check_agreement(own, theirs, module, pixels, to_cells(pixels))


def test_cells_of_16_pixels_repeat_the_last_ones(
    models, new_adapter, import_adapter, to_cells, tmp_path
):
    """Diffusers' SDXL takes multiples of 16 alone: its adapter's features of a padded hint."""
    own, theirs = models("xl"), new_adapter("full_xl")
    theirs.save_pretrained(tmp_path / "sketch")
    module = import_adapter(tmp_path / "sketch", own.ours).adapter.module
    generator = torch.Generator().manual_seed(5)
    own = replace(own, x=torch.randn(2, 4, 13, 9, generator=generator))
    pixels = torch.rand(2, 3, 104, 72, generator=generator)
    found = module.residuals(own.x, own.t, own.condition, to_cells(pixels))
    padded = torch.nn.functional.pad(pixels, (0, 8, 0, 8), mode="replicate")
    for residual, feature in zip(found.values(), theirs(padded), strict=True):
        torch.testing.assert_close(residual, feature, rtol=1e-5, atol=1e-5)
    prediction = own.ours(own.x, own.t, own.condition, Control(residuals=found))
    assert (own.ours(own.x, own.t, own.condition) - prediction).abs().max() > 1e-3


def check_agreement(own, theirs, module, pixels, cells):
    """Compare each feature, and what the UNet makes of them."""
    found = module.residuals(own.x, own.t, own.condition, cells)
    features = theirs(pixels if module.config.colors == 3 else pixels.mean(1, keepdim=True))
    for residual, feature in zip(found.values(), features, strict=True):
        torch.testing.assert_close(residual, feature, rtol=1e-5, atol=1e-5)
    whole = own.theirs(
        own.x,
        own.t,
        own.tokens,
        added_cond_kwargs=own.added,
        down_intrablock_additional_residuals=[each.clone() for each in features],
    ).sample
    prediction = own.ours(own.x, own.t, own.condition, Control(residuals=found))
    assert (own.ours(own.x, own.t, own.condition) - prediction).abs().max() > 1e-3
    torch.testing.assert_close(prediction, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_original_layout_and_files_of_diffusers_are_the_same(
    models, new_adapter, import_adapter, write_file, cells, variant
):
    own, tensors = models(VARIANTS[variant][0]), new_adapter(variant).state_dict()
    files = [
        write_file(to_original(tensors), "t2iadapter.sketch.safetensors"),
        write_file(tensors, "t2iadapter.diffusers.safetensors"),
    ]
    modules = [import_adapter(file, own.ours).adapter.module for file in files]
    one, other = (each.residuals(own.x, own.t, own.condition, cells) for each in modules)
    assert all(torch.equal(one[block], other[block]) for block in one)


def test_a_row_without_a_hint_is_unchanged(models, new_adapter, import_adapter, tmp_path, cells):
    own, theirs = models("sd4"), new_adapter("full")
    theirs.save_pretrained(tmp_path / "sketch")
    module = import_adapter(tmp_path / "sketch", own.ours).adapter.module
    hints = torch.cat([cells[:1], torch.zeros_like(cells[:1])])
    for residual in module.residuals(own.x, own.t, own.condition, hints).values():
        assert residual[0].abs().max() > 0
        assert residual[1].abs().max() == 0


def test_features_are_not_kept_for_training(models, new_adapter, import_adapter, tmp_path, cells):
    own, theirs = models("sd4"), new_adapter("full")
    theirs.save_pretrained(tmp_path / "sketch")
    module = import_adapter(tmp_path / "sketch", own.ours).adapter.module
    weight = module.conv_in.weight.requires_grad_()
    gradients = []
    for _ in range(2):
        sum(
            each.sum() for each in module.residuals(own.x, own.t, own.condition, cells).values()
        ).backward()
        gradients.append(weight.grad.clone())
        weight.grad = None
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 77_369_280),
        ({"adapter_type": "full_adapter_xl", "downscale_factor": 16}, 79_028_160),
    ],
)
def test_full_width_on_the_meta_device(options, count):
    from diffusers import T2IAdapter as Theirs

    from latelier_addons.t2i_adapter.config import T2IAdapterConfig
    from latelier_addons.t2i_adapter.layout import config_from_shapes, rename
    from latelier_addons.t2i_adapter.network import T2IAdapter

    with torch.device("meta"):
        theirs = Theirs(**options).state_dict()
        names = rename(theirs)
        shapes = {names[name]: tuple(each.shape) for name, each in theirs.items()}
        ours = T2IAdapter(T2IAdapterConfig.model_validate(config_from_shapes(shapes)))
    assert {name: tuple(each.shape) for name, each in ours.state_dict().items()} == shapes
    assert sum(each.numel() for each in ours.parameters()) == count
