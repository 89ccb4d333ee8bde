import math

import torch
from torch import nn

from latelier import Conditioner, ConditionPart, Stream
from latelier_compass.inputs import Direction


class CompassConditioner(Conditioner):
    Input = Direction

    def __init__(self, config):
        super().__init__(config)
        self.embed = nn.Linear(2, config.width)
        self.nowhere = nn.Parameter(torch.zeros(1, 1, config.width))

    def prepare(self, inputs, geometry):
        angles = torch.tensor([math.radians(each.degrees) for each in inputs])
        return {"direction": torch.stack([angles.sin(), angles.cos()], dim=1)}

    def forward(self, batch, geometry):
        direction = batch["direction"].to(self.nowhere)  # weights may have 16 bits
        return ConditionPart(stream=Stream(self.embed(direction)[:, None]))

    def null(self, rows, geometry):
        return ConditionPart(stream=Stream(self.nowhere.expand(rows, -1, -1)))
