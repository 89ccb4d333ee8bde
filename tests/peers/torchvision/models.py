from types import SimpleNamespace

from torch import nn

CHANNELS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Of the convolutions of VGG16 (arXiv:1409.1556, table 1, D); 0: a halving."""


class VGG16_Weights: ...


def vgg16(**_options):
    """Return VGG16 with random weights, without the layers that classify."""
    layers, before = [], 3
    for channels in CHANNELS:
        if channels:
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU(inplace=True)]
            before = channels
        else:
            layers.append(nn.MaxPool2d(2))
    return SimpleNamespace(features=nn.Sequential(*layers))


def resnet50(**_options): ...
