"""Building without storage stays light: nothing is drawn that a file replaces."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from latelier.checkpoints.io.weights import meta_device

LIGHT = """
import sys
from torch import nn
from latelier.checkpoints.io.weights import meta_device
with meta_device():
    weight = nn.Embedding(4, 4).weight
    for draw in (nn.init.normal_, nn.init.kaiming_normal_, nn.init.trunc_normal_):
        assert draw(weight) is weight and weight.is_meta
    nn.Linear(4, 4), nn.Conv2d(4, 4, 3), nn.LayerNorm(4), nn.MultiheadAttention(4, 1)
print("torch._dynamo" in sys.modules)
"""


def test_the_compiler_is_not_imported():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("draw", [nn.init.normal_, nn.init.trunc_normal_])
def test_tensors_with_storage_are_initialised_normally(draw):
    with meta_device():
        drawn = draw(torch.zeros(64, device="cpu"))
    assert drawn.std() > 0.5
