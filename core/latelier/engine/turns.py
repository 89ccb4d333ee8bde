"""Turns of runs between their calls of the denoiser.

What a run does there is short and mostly Python, which runs one thread at a time. torch gives
others a chance at each operation, so runs that compete spend more time on switching than on work.
"""

import threading
from collections.abc import Hashable

MAX_SECONDS = 0.005
"""After this the next run begins its turn, so that a slow one holds up nobody."""


class Turns:
    """Lets runs go on one at a time, as long as each is quick."""

    def __init__(self) -> None:
        self._ended = threading.Condition()
        self._run: Hashable = None

    def begin(self, run: Hashable) -> None:
        """Begin the turn of a run, after at most `MAX_SECONDS`."""
        with self._ended:
            self._ended.wait_for(lambda: self._run is None, MAX_SECONDS)
            self._run = run

    def end(self, run: Hashable) -> None:
        """End the turn of a run, if it still has it."""
        with self._ended:
            if self._run is run:
                self._run = None
                self._ended.notify()
