"""What is made of the weights of a training: metrics, sample sheets and the result."""

from pathlib import Path

from PIL.Image import Image

from latelier.checkpoints.io.weights import write_weights
from latelier.io.atomic import atomic_folder
from latelier.training.objective import Objective

WEIGHTS = "weights.safetensors"
"""Name of the file of a result that is weights alone."""

Sheet = tuple[Image, dict[str, float]]
"""A grid of generated images, and its metrics."""


class Evaluator:
    """Exports the trained weights; subclasses also validate, draw, and export a model.

    The loop calls it in the first process, with the weights to evaluate loaded into the objective,
    in evaluation mode and without gradients.

    Attributes:
        objective: Has the weights.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def validate(self) -> dict[str, float]:
        """Return metrics of held-out samples that do not depend on how training draws its own.

        The first metric decides which weights are the best; lower is better. Without metrics there
        are none.
        """
        return {}

    def draw_sample_sheet(self) -> Sheet | None:
        """Return a sample sheet, or None if there is nothing to draw."""
        return None

    def export(self, folder: Path) -> None:
        """Write the result into `folder`."""
        with atomic_folder(folder) as partial:
            write_weights(partial / WEIGHTS, self.objective.trained.state_dict())
