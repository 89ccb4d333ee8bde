"""SIGINT, SIGTERM and SIGHUP as requests to stop, which the loop obeys between two steps."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none

SIGNALS = (signal.SIGINT, signal.SIGTERM, *(() if _HANGUP is None else (_HANGUP,)))
"""Of Ctrl-C, of a scheduler, and of a terminal that is closed."""

_MESSAGE = b"\nstopping after this step, then saving; Ctrl-C again stops at once without saving\n"


class StopRequest:
    """Whether a signal asked the run to stop; a SIGINT after it interrupts at once.

    Attributes:
        received: True after the first signal.
    """

    def __init__(self) -> None:
        self.received = False

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Handle a signal; the signature is that of the `signal` module.

        Raises:
            KeyboardInterrupt: it is a SIGINT, and the run was already asked to stop.
        """
        if self.received and number == signal.SIGINT:
            raise KeyboardInterrupt("steps after the last checkpoint are lost")
        if not self.received:
            self.received = True
            with suppress(OSError):  # the terminal may be gone
                os.write(2, _MESSAGE)  # a handler must not print: it may interrupt a print


@contextmanager
def catch_signals() -> Iterator[StopRequest]:
    """Turn signals to stop into requests while inside.

    Python allows signal handlers in the main thread only; in any other thread nothing is caught.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    former = {
        number: signal.signal(number, request.handle)
        for number in SIGNALS
        if number != _HANGUP or signal.getsignal(number) != signal.SIG_IGN  # as `nohup` sets it
    }
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
