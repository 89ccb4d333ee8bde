"""A faultless feature network, and faulty subclasses of it."""

import socket
from itertools import count
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import adaptive_avg_pool2d

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import Features

_calls = count()


class Shades:
    """Faultless: the mean levels of tiles."""

    name = "mean levels of tiles"

    def __init__(self, config):
        self.tiles = config.tiles
        self.width = 3 * self.tiles**2
        self.identity = f"tiles {self.tiles}"

    def __call__(self, images, /):
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise InvalidInputError(f"expected uint8 (B, 3, H, W), got {tuple(images.shape)}")
        return Features(self.vectors(images))

    def vectors(self, images):
        return adaptive_avg_pool2d(images.float() / 255, self.tiles).flatten(1)


class Nameless(Shades):
    name = ""


class DoublePrecision(Shades):
    def vectors(self, images):
        return super().vectors(images).double()


class WidthOfTheTiles(Shades):
    def __init__(self, config):
        super().__init__(config)
        self.width = self.tiles**2


class LogOfZero(Shades):
    def vectors(self, images):
        vectors = super().vectors(images)
        vectors[:, 0] = (vectors[:, 0] * 0).log()
        return vectors


class WithGradients(Shades):
    def vectors(self, images):
        return super().vectors(images) * nn.Parameter(torch.ones(()))


class Flickers(Shades):
    def __init__(self, config):
        super().__init__(config)
        self.shift = 1e-6 * (next(_calls) % 2)

    def vectors(self, images):
        return super().vectors(images) + self.shift


class SeedsAll(Shades):
    def vectors(self, images):
        torch.manual_seed(0)
        return super().vectors(images)


class OfTheBatchNetwork(Shades):
    def vectors(self, images):
        vectors = super().vectors(images)
        return vectors - vectors.mean(0)


class MovingMean(Shades):
    mean = 0

    def vectors(self, images):
        vectors = super().vectors(images)
        moved = vectors - self.mean
        self.mean = vectors.mean()
        return moved


class Blind(Shades):
    def vectors(self, images):
        return torch.ones(len(images), self.width)


class OneIdentity(Shades):
    def __init__(self, config):
        super().__init__(config)
        self.identity = "tiles"


class TakesFloats(Shades):
    def __call__(self, images, /):
        return Features(self.vectors(images))


class Downloads(Shades):
    def __init__(self, config):
        super().__init__(config)
        socket.socket().close()


class KeepsPictures(Shades):
    def vectors(self, images):
        Path("~/.latelier-pictures").expanduser().write_bytes(images.numpy().tobytes())
        return super().vectors(images)
