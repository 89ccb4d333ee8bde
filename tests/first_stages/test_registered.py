"""Every built-in first stage through the door: built by name, used, stored, taken back."""

from typing import Any

import pytest
import torch

from latelier.checkpoints.component import load_component, new_component, save_component

SMALL: dict[str, dict[str, Any]] = {
    "autoencoder_kl": {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4},
    "autoencoder_vq": {"ch": 8, "ch_mult": (1, 2), "num_groups": 4, "n_embed": 16, "remap": 5},
    "identity": {"channels": 2},
    "tiny": {
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "num_encoder_blocks": (1, 2),
        "num_decoder_blocks": (2, 1),
    },
}


def test_every_first_stage_is_tried(built_ins):
    assert set(built_ins.first_stages.names()) == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_a_first_stage_is_built_used_stored_and_taken_back(name, built_ins, tmp_path):
    component = new_component("first_stage", name, SMALL[name], built_ins)
    module = component.module.eval()
    config = module.config
    f, channels = config.downsampling, 2 if name == "identity" else 3
    images = torch.rand(2, channels, 8, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        latents = module.encode(images)
        decoded = module.decode(latents)
    assert latents.shape == (2, config.latent_channels, 8 // f, 12 // f)
    assert decoded.shape == images.shape
    save_component(tmp_path / "stored", component)
    back = load_component(tmp_path / "stored", "first_stage", built_ins)
    assert back.module.config == config
    with torch.no_grad():
        assert torch.equal(back.module.decode(latents), decoded)


@pytest.mark.parametrize("name", ["autoencoder_kl", "autoencoder_vq"])
@pytest.mark.parametrize("f", [1, 2, 4, 8, 16, 32])
def test_every_factor_of_the_paper(name, f, built_ins):
    """Table 8 of arXiv:2112.10752 has factors from 2 to 32; 1 keeps the sides."""
    config = {**SMALL[name], "ch_mult": (1,) * f.bit_length(), "num_res_blocks": 1}
    module = built_ins.first_stages.build(name, config).eval()
    assert module.config.downsampling == f
    images = torch.rand(1, 3, 32, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad():
        latents = module.encode(images)
        assert latents.shape == (1, module.config.latent_channels, 32 // f, 64 // f)
        assert module.decode(latents).shape == images.shape


@pytest.mark.parametrize("name", SMALL)
def test_the_configuration_has_a_schema_that_says_what_each_field_is(name, built_ins):
    schema = built_ins.first_stages.config_schema(name)
    assert all("description" in field for field in schema["properties"].values())
