from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from latelier.metrics.networks.inception import SIDE, Inception


def draw_pictures(height: int, width: int, count: int = 2) -> Tensor:
    """Return random pictures with large and small structures, uint8 (B, 3, H, W)."""
    generator = torch.Generator().manual_seed(height * width)
    coarse = torch.rand(count, 3, 4, 4, generator=generator)
    smooth = nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noise = torch.rand(count, 3, height, width, generator=generator)
    return (255 * (0.8 * smooth + 0.2 * noise)).to(torch.uint8)


@pytest.fixture(scope="session")
def inception_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under the published names, with the statistics of a batch of pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = Inception().train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        network(draw_pictures(SIDE, SIDE).float())
    path = tmp_path_factory.mktemp("inception") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path
