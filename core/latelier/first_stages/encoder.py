"""The encoder of both autoencoders (arXiv:2012.09841, arXiv:2112.10752)."""

from itertools import pairwise

from torch import Tensor, nn

from latelier.first_stages.autoencoder_config import AutoencoderConfig
from latelier.first_stages.levels import DownLevel, Middle
from latelier.first_stages.norm import activated, group_norm


class Encoder(nn.Module):
    """Maps images to features at latent size, before the 1x1 convolution."""

    def __init__(self, config: AutoencoderConfig, out_channels: int) -> None:
        super().__init__()
        widths = [config.ch * mult for mult in config.ch_mult]
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList(
            DownLevel(config, index, before, width)
            for index, (before, width) in enumerate(pairwise([config.ch, *widths]))
        )
        self.mid = Middle(config, widths[-1])
        self.norm_out = group_norm(widths[-1], config.num_groups)
        self.conv_out = nn.Conv2d(widths[-1], out_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H / f, W / f)."""
        h = self.conv_in(images)
        for level in self.down:
            h = level(h)
        features: Tensor = self.conv_out(activated(self.norm_out(self.mid(h))))
        return features
