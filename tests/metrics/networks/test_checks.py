import pytest
import torch
from torch import nn
from torch.backends import cudnn

from latelier.metrics.networks.checks import full_precision, hash_weights


def test_convolutions_are_not_rounded_inside_alone():
    before = cudnn.allow_tf32, cudnn.deterministic, cudnn.enabled
    with full_precision():
        assert (cudnn.allow_tf32, cudnn.deterministic, cudnn.enabled) == (False, True, True)
    assert (cudnn.allow_tf32, cudnn.deterministic, cudnn.enabled) == before


def test_the_hash_is_of_names_shapes_and_numbers():
    def hash_zeros(network):
        for weights in network.requires_grad_(False).parameters():
            weights.zero_()
        return hash_weights(network)

    wide, tall = nn.Linear(4, 1, bias=False), nn.Linear(1, 4, bias=False)
    assert hash_zeros(wide) == hash_zeros(nn.Linear(4, 1, bias=False))
    assert len({hash_zeros(each) for each in (wide, tall, nn.Sequential(wide))}) == 3
    before = hash_weights(wide)
    wide.weight[0, 0] = 1e-6
    assert hash_weights(wide) != before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_of_any_type_are_hashed(dtype):
    assert len(hash_weights(nn.Linear(2, 3).to(dtype))) == 64
