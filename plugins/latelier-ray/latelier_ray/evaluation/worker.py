"""The worker of an evaluation: computes and stores chunks, as a process of one machine does."""

from pathlib import Path

from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.evaluation.run.chunks import compute_chunk
from latelier.evaluation.run.evaluation import prepare_evaluation
from latelier.evaluation.run.folder import store
from latelier.evaluation.run.threads import use_threads
from latelier.kernel.default import default_atelier

from latelier_ray.machine import Home


class EvaluationWorker:
    """Computes chunks of an evaluation.

    Args:
        config: of the evaluation.
        folder: of the run.
        identity: of the evaluation.
        home: where the command was started.

    Raises:
        LatelierError: see `prepare_evaluation` and `Home.enter`.
    """

    def __init__(self, config: EvaluationConfig, folder: Path, identity: str, home: Home) -> None:
        home.enter(folder)
        self._evaluation = prepare_evaluation(config, default_atelier())
        self._folder = folder
        self._identity = identity

    def compute(self, number: int) -> int:
        """Compute a chunk, store it, and return its number.

        Raises:
            LatelierError: see `compute_chunk`.
            OSError: it cannot be written.
        """
        with use_threads(self._evaluation.config.threads):
            store(self._folder, compute_chunk(self._evaluation, number), self._identity)
        return number
