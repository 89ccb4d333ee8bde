import pytest

from latelier.evaluation.detector.learning_rate import lr_factor


def test_the_rate_rises_for_the_warmup_and_falls_to_zero() -> None:
    rates = [lr_factor(step, steps=12, warmup=4) for step in range(13)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1, 1]
    assert rates[8] == pytest.approx(0.5)
    assert rates[12] == 0
    assert rates[4:] == sorted(rates[4:], reverse=True)
