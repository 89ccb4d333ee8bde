"""The first stages that Rombach et al. 2022 (arXiv:2112.10752) published, by their names there."""

from collections.abc import Mapping
from types import MappingProxyType

from latelier.first_stages.autoencoder_config import AutoencoderConfig
from latelier.first_stages.autoencoder_kl_config import AutoencoderKLConfig
from latelier.first_stages.autoencoder_vq_config import AutoencoderVQConfig

PUBLISHED: Mapping[str, AutoencoderConfig] = MappingProxyType(
    {
        "kl-f4": AutoencoderKLConfig(ch_mult=(1, 2, 4), z_channels=3, embed_dim=3),
        "kl-f8": AutoencoderKLConfig(),
        "kl-f16": AutoencoderKLConfig(
            ch_mult=(1, 1, 2, 2, 4), attn_resolutions=(16,), z_channels=16, embed_dim=16
        ),
        "kl-f32": AutoencoderKLConfig(
            ch_mult=(1, 1, 2, 2, 4, 4), attn_resolutions=(16, 8), z_channels=64, embed_dim=64
        ),
        "vq-f4": AutoencoderVQConfig(),
        "vq-f4-noattn": AutoencoderVQConfig(attn_type="none"),
        "vq-f8": AutoencoderVQConfig(
            ch_mult=(1, 2, 2, 4),
            attn_resolutions=(32,),
            z_channels=4,
            embed_dim=4,
            n_embed=16384,
        ),
        "vq-f8-n256": AutoencoderVQConfig(
            ch_mult=(1, 2, 2, 4), attn_resolutions=(32,), z_channels=4, embed_dim=4, n_embed=256
        ),
        "vq-f16": AutoencoderVQConfig(
            ch_mult=(1, 1, 2, 2, 4),
            attn_resolutions=(16,),
            z_channels=8,
            embed_dim=8,
            n_embed=16384,
        ),
    }
)
"""Each a configuration of `autoencoder_kl` or `autoencoder_vq`. A diffusion model trained on one
may ask for another `scale_factor`."""
