"""The accuracy of the scene classifier."""

from torch import Tensor

from latelier.evaluation.labelled_scenes import NO_COLOR, LabelledScenes
from latelier.metrics.scene_classifier import Prediction


def compare_with_labels(prediction: Prediction, labels: LabelledScenes) -> dict[str, Tensor]:
    """Return where the top-1 predictions equal the labels, bool (N,).

    "color" has a row only for each scene whose background has a named colour.
    """
    has_color = labels.color != NO_COLOR
    return {
        "glyph": prediction.glyph.argmax(1) == labels.glyph,
        "kind": prediction.kind.argmax(1) == labels.kind,
        "color": (prediction.color.argmax(1) == labels.color)[has_color],
    }


def accuracy(prediction: Prediction, labels: LabelledScenes) -> dict[str, float]:
    """Return the top-1 accuracy in [0, 1] of "glyph", "kind" and "color"."""
    correct = compare_with_labels(prediction, labels)
    return {name: float(rows.float().mean()) for name, rows in correct.items()}
