"""How often a judge is right."""

from torch import Tensor

from latelier.evaluation.classifier.model import Verdict
from latelier.evaluation.labelled_scenes import NO_COLOR, LabelledScenes


def correct(verdict: Verdict, labels: LabelledScenes) -> dict[str, Tensor]:
    """Return where the first choices are right, bool (N,); colours only where one is named."""
    named = labels.color != NO_COLOR
    return {
        "glyph": verdict.glyph.argmax(1) == labels.glyph,
        "kind": verdict.kind.argmax(1) == labels.kind,
        "color": (verdict.color.argmax(1) == labels.color)[named],
    }


def accuracy(verdict: Verdict, labels: LabelledScenes) -> dict[str, float]:
    """Return the share of first choices that are right: "glyph", "kind" and "color"."""
    return {name: float(hits.float().mean()) for name, hits in correct(verdict, labels).items()}
