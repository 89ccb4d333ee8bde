"""Changes of a finished model, compared with the model as it was."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from latelier.training.prediction.evaluator import PredictionEvaluator


class ChangeEvaluator(PredictionEvaluator, ABC):
    """Measures an adapter or a LoRA beside the model without it."""

    @abstractmethod
    def set_strength(self, strength: float) -> None:
        """Set how strong the change is: 1 as it is trained, 0 for the model without it."""

    @contextmanager
    def without_change(self) -> Iterator[None]:
        """Switch the change off while inside."""
        self.set_strength(0.0)
        try:
            yield
        finally:
            self.set_strength(1.0)

    def validate(self) -> dict[str, float]:
        """Return the errors of x0, and their mean "x0_error_without" the change."""
        errors = super().validate()
        with self.without_change():
            return {**errors, "x0_error_without": super().validate()["x0_error"]}
