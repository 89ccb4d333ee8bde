"""The decoder of both autoencoders (arXiv:2012.09841, arXiv:2112.10752)."""

from itertools import pairwise

from torch import Tensor, nn

from latelier.first_stages.autoencoder_config import AutoencoderConfig
from latelier.first_stages.levels import Middle, UpLevel
from latelier.first_stages.norm import activated, group_norm


class Decoder(nn.Module):
    """Maps latents, after the 1x1 convolution, to images.

    `up[0]` is the highest resolution, as in the published checkpoints; it runs last.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = Middle(config, widths[-1])
        self.up = nn.ModuleList(
            UpLevel(config, index, below, width)
            for index, (width, below) in enumerate(pairwise([*widths, widths[-1]]))
        )
        self.norm_out = group_norm(widths[0], config.num_groups)
        self.conv_out = nn.Conv2d(widths[0], config.out_ch, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, z, h, w) to (B, C, f h, f w)."""
        h = self.mid(self.conv_in(features))
        for level in reversed(self.up):
            h = level(h)
        images: Tensor = self.conv_out(activated(self.norm_out(h)))
        return images
