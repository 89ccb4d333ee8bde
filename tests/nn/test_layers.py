import torch
from torch import nn

from latelier.nn.layers import EncoderLayer, zero_init


def test_zero_init_returns_the_module_with_parameters_of_zero() -> None:
    layer = nn.Linear(2, 3)
    assert zero_init(layer) is layer
    assert not any(parameter.any() for parameter in layer.parameters())


def test_an_encoder_layer_ignores_masked_tokens() -> None:
    torch.manual_seed(0)
    layer = EncoderLayer(8, heads=2)
    tokens = torch.randn(1, 4, 8)
    mask = torch.tensor([True, True, False, True]).view(1, 1, 1, 4)
    changed = tokens.clone()
    changed[:, 2] = 7.0
    with torch.no_grad():
        result, other = layer(tokens, mask), layer(changed, mask)
    assert torch.equal(result[:, [0, 1, 3]], other[:, [0, 1, 3]])
    assert not torch.equal(result[:, 2], other[:, 2])
