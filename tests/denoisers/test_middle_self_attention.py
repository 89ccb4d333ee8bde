"""The layer that a configuration calls its middle self-attention is one of the model's."""

import pytest
import torch

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition
from latelier.contracts.configs import DenoiserConfig
from latelier.denoisers.configs import TransformerConfig, UNetConfig
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.unet import UNet

UNET = UNetConfig(
    in_channels=2,
    out_channels=2,
    model_channels=8,
    channel_mult=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(),
    num_heads=1,
    num_groups=4,
)
TRANSFORMER = TransformerConfig(
    in_channels=2, out_channels=2, input_size=4, patch_size=2, hidden_size=8, depth=3, num_heads=2
)


@pytest.mark.parametrize("model", [UNet(UNET), Transformer(TRANSFORMER)], ids=["unet", "dit"])
def test_the_middle_self_attention_can_be_perturbed(model):
    with torch.no_grad():
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=0.3, generator=torch.Generator().manual_seed(0))
        x = torch.randn(1, 2, 4, 4, generator=torch.Generator().manual_seed(1))
        t, control = (
            torch.ones(1),
            Control(perturbed_attention={model.config.middle_self_attention}),
        )
        assert not torch.allclose(model(x, t, Condition(), control), model(x, t, Condition()))


def test_the_middle_self_attention_is_in_the_middle_block():
    assert UNET.middle_self_attention == "middle_block.1"
    assert TRANSFORMER.middle_self_attention == "blocks.1.attn"
    assert DenoiserConfig().middle_self_attention is None
