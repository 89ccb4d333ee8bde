"""The first Ctrl-C is a request to stop, the second interrupts."""

import signal

import pytest

from latelier.training.loop.interruption import catch_signals


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_the_second_interrupt_does_not_wait_for_the_step(first, capfd):
    with catch_signals() as request:
        assert not request.received
        signal.raise_signal(first)
        assert request.received
        assert "Ctrl-C again stops at once" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt, match="last checkpoint"):
            signal.raise_signal(signal.SIGINT)


def test_a_second_sigterm_waits_for_the_checkpoint(capfd):
    with catch_signals() as request:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert request.received
    assert capfd.readouterr().err.count("stopping") == 1
