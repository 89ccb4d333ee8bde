"""Files that are damaged or for another model: one error that says what is wrong."""

import pytest
import torch
from latelier.contracts.errors import CompatibilityError, InvalidConfigError, ModelFileError

SD_CONFIG = {"_class_name": "ControlNetModel", "attention_head_dim": 2}


@pytest.fixture
def tensors(new_controlnet):
    return dict(new_controlnet("sd").state_dict())


def test_a_controlnet_for_another_family_is_named(models, new_controlnet, import_adapter, tmp_path):
    new_controlnet("xl").save_pretrained(tmp_path / "canny")
    with pytest.raises(
        CompatibilityError,
        match=r"'canny' is a ControlNet for a UNet of 32, 64, 128 channels and a context of 48, "
        r"and this model is a UNet of 32, 64, 64 channels and a context of 24: different are "
        r"widths \(expected \[32, 64, 128\], found \[32, 64, 64\]\), streams text \(expected "
        r"48, found 24\), vectors text \(expected 16, found None\)",
    ):
        import_adapter(tmp_path / "canny", models("sd").ours)


def test_published_families_have_their_names():
    from latelier_addons.controlnet.config import ControlNetConfig
    from latelier_addons.t2i_adapter.config import T2IAdapterConfig

    class Denoiser:
        config = ControlNetConfig.model_validate({"encoder": unet(768)}).encoder

    with pytest.raises(CompatibilityError, match=r"for Stable Diffusion 2, and this .* is .* 1:"):
        ControlNetConfig.model_validate({"encoder": unet(1024)}).check("pose", None, Denoiser)
    with pytest.raises(CompatibilityError, match=r"T2I-Adapter for Stable Diffusion XL, and this"):
        T2IAdapterConfig(variant="full_xl").check("pose", None, Denoiser)
    encoder = {**unet(768), "num_res_blocks": 1}
    with pytest.raises(CompatibilityError, match=r"num_res_blocks \(expected 1, found 2\)"):
        ControlNetConfig.model_validate({"encoder": encoder}).check("pose", None, Denoiser)
    Denoiser.config = ControlNetConfig.model_validate({"encoder": encoder}).encoder
    with pytest.raises(CompatibilityError, match=r"num_res_blocks \(expected 2, found 1\)"):
        T2IAdapterConfig().check("pose", None, Denoiser)


def unet(context):
    return {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 320,
        "channel_mult": (1, 2, 4, 4),
        "attention_resolutions": (4, 2, 1),
        "num_heads": 8,
        "context_dim": context,
        "streams": {"text": {"width": context, "injection": "native"}},
    }


def test_a_model_without_a_unet_is_named(new_controlnet, import_adapter, tmp_path):
    class Denoiser:
        config = None

    new_controlnet("sd").save_pretrained(tmp_path / "canny")
    with pytest.raises(CompatibilityError, match="this model is a model without a UNet"):
        import_adapter(tmp_path / "canny", Denoiser)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda found: found.pop("conv_in.bias"), r"missing.*encoder\.input_blocks\.0\.0\.bias"),
        (lambda found: found.pop("conv_in.weight"), r"without its tensor 'encoder\.input_blocks\."),
        (lambda found: found.update(more=torch.zeros(1)), r"unexpected.*more"),
        (
            lambda found: found["conv_in.bias"].fill_(float("nan")),
            r"canny\.safetensors: NaN or infinity in 'conv_in\.bias'",
        ),
        (
            lambda found: found.update({"difference": torch.zeros(1)}),
            "the difference of a ControlNet to its model's encoder, which cannot be imported",
        ),
        (
            lambda found: found.update({"lora_controlnet": torch.zeros(1)}),
            "a ControlLoRA, low-rank changes of its model's encoder, which cannot be imported",
        ),
        (
            lambda found: found.update(
                {"controlnet_cond_embedding.conv_in.weight": torch.zeros(4, 6, 3, 3)}
            ),
            "its hints have 6 channels; those of supported ControlNets have 3",
        ),
    ],
)
def test_damaged_controlnets(models, tensors, import_adapter, write_file, change, match):
    change(tensors)
    file = write_file(tensors, "canny.safetensors", SD_CONFIG)
    with pytest.raises(ModelFileError, match=match):
        import_adapter(file, models("sd").ours)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"name": "a b"}, "name: expected letters, digits and underscores, got 'a b'"),
        ({"order": "rbg"}, "hint_order"),
        ({"global_pooling": 1}, "option 'global_pooling': expected true or false"),
        ({"guess": "yes"}, "option 'guess': expected true or false"),
        ({"type": "canny"}, "type: this ControlNet is no union and has one control type"),
    ],
)
def test_invalid_options(models, tensors, import_adapter, write_file, options, match):
    file = write_file(tensors, "canny.safetensors", SD_CONFIG)
    with pytest.raises(InvalidConfigError, match=match):
        import_adapter(file, models("sd").ours, **options)


def test_a_union_needs_a_known_type(models, redraw, import_adapter, tmp_path):
    from diffusers import ControlNetUnionModel

    union = {"num_trans_channel": 32, "num_proj_channel": 32, "num_trans_head": 4}
    theirs = ControlNetUnionModel(
        **models("xl").shared, **union, conditioning_embedding_out_channels=(4, 8, 12, 16)
    )
    redraw(theirs).save_pretrained(tmp_path / "union")
    with pytest.raises(InvalidConfigError, match=r"of 6 control types; choose one .*openpose, dep"):
        import_adapter(tmp_path / "union", models("xl").ours)
    for unknown, match in {
        "cany": r"'cany'\. Did you mean 'canny'",
        "tile": r"'tile'\. ",  # the seventh
        6: "6",
        True: "True",
    }.items():
        with pytest.raises(InvalidConfigError, match=f"type: unknown control type {match}"):
            import_adapter(tmp_path / "union", models("xl").ours, type=unknown)


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("controlnet_x_embedder.weight", "controlnet_blocks.0.weight"), "a ControlNet for FLUX.1"),
        (("pos_embed_input.proj.weight", "controlnet_blocks.0.weight"), "for Stable Diffusion 3"),
        (("conv_in.weight", "down_blocks.0.motion_modules.0.x"), "is a motion module"),
        (
            (
                "controlnet_cond_embedding.conv_in.weight",
                "controlnet_down_blocks.0.weight",
                "down_blocks.0.motion_modules.0.x",
            ),
            "is a motion module",
        ),
    ],
)
def test_files_of_other_kinds_are_named(models, import_adapter, write_file, names, match):
    file = write_file(dict.fromkeys(names, torch.zeros(4, 4)), "control.safetensors")
    with pytest.raises(ModelFileError, match=match):
        import_adapter(file, models("sd").ours)


def test_damaged_t2i_adapters(models, redraw, import_adapter, write_file):
    from diffusers import T2IAdapter

    found = dict(redraw(T2IAdapter(channels=[32, 64, 64, 64])).state_dict())
    file = write_file(
        {**found, "adapter.conv_in.weight": torch.zeros(32, 7, 3, 3)}, "a.safetensors"
    )
    with pytest.raises(ModelFileError, match="its first layer takes 7 channels; those of T2I"):
        import_adapter(file, models("sd4").ours)
    del found["adapter.body.2.resnets.1.block2.bias"]
    file = write_file(found, "b.safetensors")
    with pytest.raises(ModelFileError, match=r"missing.*body\.2\.resnets\.1\.block2\.bias"):
        import_adapter(file, models("sd4").ours)


def test_a_t2i_adapter_for_another_family_is_named(models, redraw, import_adapter, tmp_path):
    from diffusers import T2IAdapter

    redraw(T2IAdapter(channels=[32, 64, 64, 64])).save_pretrained(tmp_path / "sketch")
    with pytest.raises(CompatibilityError, match="T2I-Adapter for a UNet of 32, 64, 64, 64 chan"):
        import_adapter(tmp_path / "sketch", models("sd").ours)
