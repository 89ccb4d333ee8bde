import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.training.devices import precision as precision_module
from latelier.training.devices.precision import LossScale, autocast, check_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [
        ("32-true", torch.float32),
        ("bf16-mixed", torch.bfloat16),
        ("16-mixed", torch.float16),
    ],
)
def test_matrix_products_have_the_precision(precision, dtype):
    check_precision(precision, CPU)
    with autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_precision_that_the_device_lacks_is_an_error_with_a_fix(monkeypatch):
    def fail(*_):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(precision_module, "autocast", fail)
    with pytest.raises(InvalidConfigError, match=r"is not available on cpu .*; use '32-true'"):
        check_precision("16-mixed", CPU)


def test_the_loss_scale_is_halved_by_overflows_and_doubled_after_2000_steps():
    scale = LossScale("16-mixed")
    scale.update(is_finite=False)
    assert scale.value == 2.0**15
    for _ in range(2000):
        scale.update(is_finite=True)
    assert (scale.value, scale.good_steps) == (2.0**16, 0)


def test_other_precisions_have_no_loss_scale():
    scale = LossScale("bf16-mixed")
    scale.update(is_finite=False)
    scale.load_state({"value": 8.0, "good_steps": 1})
    assert scale.value == 1.0
