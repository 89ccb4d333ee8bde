"""ControlNet against diffusers, all weights redrawn: folders, files and the original layout."""

from dataclasses import replace

import pytest
import torch
from latelier.contracts.components import Control

from latelier_addons.controlnet.config import ControlNetConfig
from latelier_addons.controlnet.layout import rename
from latelier_addons.controlnet.network import ControlNet
from latelier_addons.controlnet.shapes import config_from_shapes

CASES = {
    "sd": ("sd", {}),
    "xl": ("xl", {}),
    "xl mid": ("xl", {"transformer_layers_per_block": (0, 0, 1)}),
    "xl small": (
        "xl",
        {"transformer_layers_per_block": (0, 0, 0), "down_block_types": ("DownBlock2D",) * 3},
    ),
    "global pooling": ("sd", {"global_pool_conditions": True}),
    "a number of heads for each level": ("sd", {"attention_head_dim": (2, 2, 2)}),
    "groups and heads of its own": ("sd", {"norm_num_groups": 8, "num_attention_heads": 4}),
    "bgr": ("sd", {"controlnet_conditioning_channel_order": "bgr"}),
}


def run(theirs, models, pixels, **options):
    """Return the residuals of diffusers by our names."""
    skips, middle = theirs(
        models.x,
        models.t,
        encoder_hidden_states=models.tokens,
        controlnet_cond=pixels,
        added_cond_kwargs=models.added,
        return_dict=False,
        **options,
    )
    return {f"skips.{i}": each for i, each in enumerate(skips)} | {"middle_block": middle}


@pytest.mark.parametrize("case", CASES)
def test_folders_of_diffusers(
    models, new_controlnet, import_adapter, pixels, cells, case, tmp_path
):
    family, changes = CASES[case]
    own, theirs = models(family), new_controlnet(family, **changes)
    theirs.save_pretrained(tmp_path / "canny")
    adapter = import_adapter(tmp_path / "canny", own.ours)
    assert adapter.name == "canny"
    check_agreement(own, theirs, adapter.adapter.module, pixels, cells)


@pytest.mark.parametrize("family", ["sd4", "xl"])
def test_pictures_whose_sides_are_odd_multiples_of_8(
    models, new_controlnet, import_adapter, to_cells, family, tmp_path
):
    own, theirs = models(family), new_controlnet(family)
    theirs.save_pretrained(tmp_path / "canny")
    module = import_adapter(tmp_path / "canny", own.ours).adapter.module
    generator = torch.Generator().manual_seed(5)
    own = replace(own, x=torch.randn(2, 4, 65, 37, generator=generator))
    pixels = torch.rand(2, 3, 520, 296, generator=generator)
    check_agreement(own, theirs, module, pixels, to_cells(pixels))


def check_agreement(own, theirs, module, pixels, cells):
    """Compare each residual, and what the UNet makes of them."""
    found = module.residuals(own.x, own.t, own.condition, cells)
    expected = run(theirs, own, pixels)
    assert found.keys() == expected.keys()
    for block, residual in found.items():
        torch.testing.assert_close(
            residual, expected[block].expand_as(residual), rtol=1e-5, atol=1e-5
        )
    prediction = own.ours(own.x, own.t, own.condition, Control(residuals=found))
    *skips, middle = expected.values()
    whole = own.theirs(
        own.x,
        own.t,
        own.tokens,
        added_cond_kwargs=own.added,
        down_block_additional_residuals=skips,
        mid_block_additional_residual=middle,
    ).sample
    assert (own.ours(own.x, own.t, own.condition) - prediction).abs().max() > 1e-3
    torch.testing.assert_close(prediction, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["sd4", "xl"])
def test_guess_mode(models, new_controlnet, import_adapter, pixels, cells, family, tmp_path):
    """The conditioner leaves the hint out of the negative side, and deep blocks count more."""
    own, theirs = models(family), new_controlnet(family)
    theirs.save_pretrained(tmp_path / "canny")
    adapter = import_adapter(tmp_path / "canny", own.ours, guess=True)
    assert adapter.conditioner.config.is_guided
    found = adapter.adapter.module.residuals(own.x, own.t, own.condition, cells)
    for block, residual in run(theirs, own, pixels, guess_mode=True).items():
        torch.testing.assert_close(found[block], residual, rtol=1e-5, atol=1e-5)


def test_a_union_is_told_the_type_of_its_hints(
    models, redraw, import_adapter, pixels, cells, tmp_path
):
    from diffusers import ControlNetUnionModel

    own = models("xl")
    union = {"num_trans_channel": 32, "num_proj_channel": 32, "num_trans_head": 4}
    theirs = redraw(
        ControlNetUnionModel(
            **own.shared, **union, conditioning_embedding_out_channels=(4, 8, 12, 16)
        )
    )
    theirs.save_pretrained(tmp_path / "union")
    module = import_adapter(tmp_path / "union", own.ours, type="canny").adapter.module
    assert import_adapter(tmp_path / "union", own.ours, type=3).adapter.config == module.config
    found = module.residuals(own.x, own.t, own.condition, cells)
    types = torch.tensor([[0.0, 0, 0, 1, 0, 0]])
    for row in range(2):  # diffusers attends over the rows of a batch
        alone = {name: each[row : row + 1] for name, each in own.added.items()}
        skips, middle = theirs(
            own.x[row : row + 1],
            own.t[row : row + 1],
            own.tokens[row : row + 1],
            [pixels[row : row + 1]],
            types,
            [3],
            added_cond_kwargs=alone,
            return_dict=False,
        )
        for residual, expected in zip(found.values(), [*skips, middle], strict=True):
            torch.testing.assert_close(residual[row : row + 1], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("prefix", ["", "control_model."])
def test_the_original_layout_is_the_same(
    models, new_controlnet, import_adapter, write_file, cells, prefix, tmp_path
):
    own, theirs = models("sd"), new_controlnet("sd")
    theirs.save_pretrained(tmp_path / "canny")
    module = import_adapter(tmp_path / "canny", own.ours).adapter.module
    tensors = {
        prefix + name.removeprefix("encoder."): each for name, each in module.state_dict().items()
    }
    config = {"_class_name": "ControlNetModel", "attention_head_dim": 2}
    file = write_file(tensors, "control_v11p_sd15_canny.safetensors", config)
    again = import_adapter(file, own.ours)
    assert again.name == "control_v11p_sd15_canny"
    one, other = (
        each.residuals(own.x, own.t, own.condition, cells)
        for each in (module, again.adapter.module)
    )
    assert all(torch.equal(one[block], other[block]) for block in one)


def test_a_row_without_a_hint_is_unchanged(models, new_controlnet, import_adapter, cells, tmp_path):
    own = models("sd")
    new_controlnet("sd").save_pretrained(tmp_path / "canny")
    module = import_adapter(tmp_path / "canny", own.ours).adapter.module
    hints = torch.cat([cells[:1], torch.zeros_like(cells[:1])])
    for residual in module.residuals(own.x, own.t, own.condition, hints).values():
        assert residual[0].abs().max() > 0
        assert residual[1].abs().max() == 0


def test_it_reads_no_spatial_parts(models, new_controlnet, import_adapter, cells, tmp_path):
    """Those of inpainting models are for the UNet alone."""
    own = models("sd")
    new_controlnet("sd").save_pretrained(tmp_path / "canny")
    module = import_adapter(tmp_path / "canny", own.ours).adapter.module
    condition = replace(own.condition, spatial={"mask": torch.ones(2, 5, 8, 16)})
    one, other = (module.residuals(own.x, own.t, c, cells) for c in (own.condition, condition))
    assert all(torch.equal(one[block], other[block]) for block in one)


LARGE = {
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
SMALL = {"down_block_types": ("DownBlock2D",) * 3, "transformer_layers_per_block": (0, 0, 0)}
FULL = {
    "SD 1": ({"cross_attention_dim": 768}, 361_279_120),
    "SDXL": ({**LARGE, "transformer_layers_per_block": (1, 2, 10)}, 1_251_014_160),
    "SDXL depth 1": ({**LARGE, "transformer_layers_per_block": (1, 1, 1)}, 292_596_240),
    "SDXL mid": ({**LARGE, "transformer_layers_per_block": (0, 0, 1)}, 272_586_000),
    "SDXL small": ({**LARGE, **SMALL}, 160_111_120),
}


@pytest.mark.parametrize("size", FULL)
def test_full_width_on_the_meta_device(size):
    """The configuration is read from the shapes alone."""
    from diffusers import ControlNetModel

    params, count = FULL[size]
    with torch.device("meta"):
        theirs = ControlNetModel(**params).state_dict()
        names = rename(theirs)
        shapes = {names[name]: tuple(each.shape) for name, each in theirs.items()}
        config = ControlNetConfig.model_validate(config_from_shapes(shapes, {}))
        ours = ControlNet(config)
    assert {name: tuple(each.shape) for name, each in ours.state_dict().items()} == shapes
    assert sum(each.numel() for each in ours.parameters()) == count
    assert config.encoder.heads(320) == (8 if size == "SD 1" else 5)
    original = {f"control_model.{name.removeprefix('encoder.')}" for name in shapes}
    assert set(rename(original).values()) == shapes.keys()
