"""Curves are read between their points, and devices by their names."""

import pytest
from latelier.contracts.errors import InvalidInputError

from latelier_ray.simulation.costs import Costs, read
from latelier_ray.simulation.workload import Shape

CURVE = {2: 1.0, 4: 1.5, 8: 4.0}


@pytest.mark.parametrize(
    ("rows", "seconds"), [(1, 1.0), (2, 1.0), (3, 1.25), (4, 1.5), (7, 3.375), (8, 4.0), (16, 8.0)]
)
def test_a_curve_is_read_between_its_points(rows, seconds):
    assert read(CURVE, rows) == pytest.approx(seconds)


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_a_device_is_faster_a_row_with_several_rows(name):
    costs = Costs.of_device(name)
    assert costs.best < 0.7 * costs.call[1]
    assert costs.seconds_alone(Shape(20)) > 20 * costs.call[2]


def test_an_unknown_device_is_refused():
    with pytest.raises(InvalidInputError, match=r"device.*'cpu', 'gpu'.*'tpu'"):
        Costs.of_device("tpu")
