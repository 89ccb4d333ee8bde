"""The base class of conditioners."""

import pytest
import torch
from torch import nn

from latelier import (
    Conditioner,
    ConditionerConfig,
    ConditionPart,
    Frozen,
    OutputSpec,
    PictureGeometry,
)
from latelier.contracts.errors import InvalidInputError


class Angle(Frozen):
    degrees: float


class AngleConfig(ConditionerConfig):
    def outputs(self):
        return OutputSpec(vector=2)


class Angles(Conditioner):
    Input = Angle

    def __init__(self, config=None):
        super().__init__(config or AngleConfig())
        self.layer = nn.Linear(1, 2)
        self.geometries = []

    def prepare(self, inputs, geometry):
        self.geometries.append(geometry)
        return {"x": torch.tensor([[each.degrees] for each in inputs])}

    def forward(self, batch, geometry):
        return ConditionPart(vector=self.layer(batch["x"]))

    def null(self, rows, geometry):
        return ConditionPart(vector=torch.zeros(rows, 2))


def test_encode_reads_short_forms_prepares_and_computes():
    angles = Angles()
    part = angles.encode([3, {"degrees": 4}, Angle(degrees=5)])
    expected = angles.layer(torch.tensor([[3.0], [4.0], [5.0]]))
    assert torch.equal(part.vector, expected)
    assert part.vector.requires_grad


def test_encode_passes_the_geometry_on():
    angles = Angles()
    geometry = PictureGeometry((64, 32), (8, 4))
    angles.encode([3], geometry)
    assert angles.geometries == [geometry]


def test_encode_refuses_invalid_inputs():
    with pytest.raises(
        InvalidInputError, match="Angles: 'degrees': Input should be a valid number"
    ):
        Angles().encode(["north"])
    with pytest.raises(InvalidInputError, match="Did you mean 'degrees'"):
        Angles().encode([{"degree": 3}])


def test_batches_move_to_the_device_of_the_weights():
    class Where(Angles):
        def forward(self, batch, geometry):
            return ConditionPart(vector=torch.zeros(1, 2, device=batch["x"].device))

    assert Where().to("meta").encode([3]).vector.device.type == "meta"


def test_optional_methods_have_defaults():
    angles = Angles()
    angles.fit([3])
    assert angles.assets() == {}
    angles.set_assets({})
    assert angles.config.outputs() == OutputSpec(vector=2)


@pytest.mark.parametrize("missing", ["prepare", "forward", "null"])
def test_required_methods_have_no_default(missing):
    body = {name: getattr(Angles, name) for name in ("prepare", "forward", "null")}
    del body[missing]
    with pytest.raises(TypeError, match=f"abstract method.*{missing}"):
        type("Partial", (Conditioner,), body)(AngleConfig())
