"""Devices whose calls take seconds that can be added up by hand."""

import pytest

from latelier_ray.simulation.costs import Costs


@pytest.fixture
def make_costs():
    """Make costs in which only calls take time, unless a test says otherwise."""

    def make(call=None, **others):
        nothing = {1: 0.0}
        zero = {"encode": nothing, "decode": nothing, "begin": 0.0, "between": 0.0, "pictures": 16}
        call = call or {1: 1.0, 64: 1.0}
        return Costs(source="a test", call=call, **{**zero, **others})

    return make
