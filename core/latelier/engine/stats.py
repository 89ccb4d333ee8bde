"""What an engine has done so far."""

from collections.abc import Mapping
from dataclasses import dataclass

from latelier.contracts.errors import DeadlineError, JobCancelledError


@dataclass(frozen=True)
class JobCounts:
    """Numbers of jobs.

    submitted = queued + running + succeeded + failed + cancelled + expired.

    Attributes:
        submitted: were accepted.
        refused: found the queue full.
        queued: wait now.
        running: run now.
        succeeded: ended with pictures.
        failed: ended with an error.
        cancelled: were cancelled.
        expired: missed their deadline.
    """

    submitted: int = 0
    refused: int = 0
    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0


@dataclass(frozen=True)
class CallCounts:
    """The calls of the denoiser that an engine has made.

    Attributes:
        calls: how many.
        rows: of all of them, without those that only fill a call.
        seconds: that they took. A GPU may still compute when a call returns.
    """

    calls: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def rows_per_call(self) -> float:
        """Mean rows of a call; 0 before the first."""
        return self.rows / self.calls if self.calls else 0.0

    def plus(self, rows: int, seconds: float) -> "CallCounts":
        """Return the counts with one more call."""
        return CallCounts(self.calls + 1, self.rows + rows, self.seconds + seconds)


@dataclass(frozen=True)
class Stats:
    """The state of an engine.

    Attributes:
        jobs: numbers of jobs.
        calls: of the denoiser.
        most_rows: of a shared call for pictures of the default size.
        curve: rows -> seconds a row, as `Engine.warm` has measured; empty before.
    """

    jobs: JobCounts
    calls: CallCounts
    most_rows: int
    curve: Mapping[int, float]


def name_of_end(outcome: object) -> str:
    """Return the field of `JobCounts` that counts a job with this outcome."""
    if isinstance(outcome, JobCancelledError):
        return "cancelled"
    if isinstance(outcome, DeadlineError):
        return "expired"
    return "failed" if isinstance(outcome, BaseException) else "succeeded"
