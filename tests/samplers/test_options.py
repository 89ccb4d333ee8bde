"""Options that cannot be are refused, each by one clear error."""

import pytest

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.options import read_options
from latelier_samplers.adaptive import adaptive
from latelier_samplers.ddim_inversion import ddim_inversion
from latelier_samplers.deis import deis
from latelier_samplers.dpm2 import dpm2
from latelier_samplers.ipndm import ipndm
from latelier_samplers.lms import lms
from latelier_samplers.unipc import unipc


@pytest.mark.parametrize(
    ("sampler_", "options", "message"),
    [
        (lms, {"order": 0}, "'order': .* greater than or equal to 1 .given: 0."),
        (lms, {"order": 5}, "'order': .* less than or equal to 4 .given: 5."),
        (ipndm, {"order": 0}, "'order': .* greater than or equal to 1"),
        (ipndm, {"order": 5}, "'order': .* less than or equal to 4"),
        (deis, {"order": 0}, "'order': .* greater than or equal to 1"),
        (deis, {"order": 4}, "'order': .* less than or equal to 3"),
        (unipc, {"order": 0}, "'order': .* greater than or equal to 1"),
        (unipc, {"order": 4}, "'order': .* less than or equal to 3"),
        (unipc, {"order": 1.5}, "'order': .* integer"),
        (unipc, {"variant": "bh3"}, "'variant': .*'bh1' or 'bh2'"),
        (adaptive, {"tolerance": 0}, "'tolerance': .* greater than or equal to 0.000001"),
        (adaptive, {"tolerance": -1e-3}, "'tolerance': .* greater than or equal to 0.000001"),
        (adaptive, {"tolerance": float("nan")}, "'tolerance': "),
        (ddim_inversion, {"refinements": -1}, "'refinements': .* greater than or equal to 0"),
        (dpm2, {"order": 2}, "no field 'order'. There are none"),
        (lms, {"oder": 2}, "no field 'oder'. Did you mean 'order'"),
    ],
)
def test_invalid_options_are_refused(sampler_, options, message):
    with pytest.raises(InvalidInputError, match=message) as raised:
        read_options(sampler_, options, f"sampler '{sampler_.__name__}'")
    assert str(raised.value).startswith(f"sampler '{sampler_.__name__}': ")
    assert "\n" not in str(raised.value)
