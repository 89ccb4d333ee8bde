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


def test_the_hash_is_of_names_shapes_types_and_numbers():
    network = nn.Linear(2, 3)
    network.bias.data.zero_()
    known = {hash_weights(network)}
    assert hash_weights(network) in known
    network.bias.data[1] = 1e-6
    changed = [
        hash_weights(network),
        hash_weights(network.half()),
        hash_weights(nn.Bilinear(1, 2, 3)),
    ]
    assert len(known | set(changed)) == 4


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_weights_of_any_type_are_hashed(dtype):
    assert len(hash_weights(nn.Linear(2, 3).to(dtype))) == 64
