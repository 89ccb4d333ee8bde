"""Built-in first stages through the door, of every factor; the kit checks the rest."""

from typing import Any

import pytest
import torch

SMALL: dict[str, dict[str, Any]] = {
    "autoencoder_kl": {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4},
    "autoencoder_vq": {"ch": 8, "ch_mult": (1, 2), "num_groups": 4, "n_embed": 16},
}


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
