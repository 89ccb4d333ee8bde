"""The cases: each compares ways to do the same, in one file or function of its own."""

from benchmarks.cases.accelerations import ACCELERATIONS
from benchmarks.cases.cold_start import COLD_START
from benchmarks.cases.compilation import COMPILATION
from benchmarks.cases.decoding import DECODING
from benchmarks.cases.engine import ENGINES
from benchmarks.cases.engine_load import ENGINE_LOAD
from benchmarks.cases.hooks import HOOKS
from benchmarks.cases.loading import LOADING
from benchmarks.cases.merging import MERGING
from benchmarks.cases.pictures import PICTURES
from benchmarks.cases.precision import PRECISION
from benchmarks.cases.samplers import SAMPLERS
from benchmarks.cases.sdxl import SDXL
from benchmarks.cases.startup import STARTUP
from benchmarks.cases.steps import STEPS
from benchmarks.cases.training import TRAINING
from benchmarks.cases.windows import WINDOWED
from benchmarks.harness.case import BenchmarkError, Case

CASES: tuple[Case, ...] = (
    *STEPS,
    *COMPILATION,
    *DECODING,
    *PICTURES,
    *WINDOWED,
    LOADING,
    MERGING,
    SDXL,
    COLD_START,
    PRECISION,
    *ACCELERATIONS,
    *ENGINES,
    ENGINE_LOAD,
    TRAINING,
    STARTUP,
    SAMPLERS,
    HOOKS,
)
"""All cases, in the order of a report."""


def find_case(name: str) -> Case:
    """Return a case.

    Raises:
        BenchmarkError: there is none of that name.
    """
    for case in CASES:
        if case.name == name:
            return case
    raise BenchmarkError(f"case '{name}' not found; there are {', '.join(c.name for c in CASES)}")
