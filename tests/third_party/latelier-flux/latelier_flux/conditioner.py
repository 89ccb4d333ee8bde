import torch

from latelier import Conditioner, ConditionPart
from latelier.contracts.errors import InvalidInputError
from latelier_flux.configs import Numbers


class NumbersConditioner(Conditioner):
    Input = Numbers

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("zeros", torch.zeros(1, config.width), persistent=False)

    def prepare(self, inputs, geometry):
        for each in inputs:
            if len(each.values) != self.config.width:
                raise InvalidInputError(f"expected {self.config.width} values: {len(each.values)}")
        return {"values": torch.tensor([each.values for each in inputs])}

    def forward(self, batch, geometry):
        return ConditionPart(vector=batch["values"].to(self.zeros))

    def null(self, rows, geometry):
        return ConditionPart(vector=self.zeros.expand(rows, -1))
