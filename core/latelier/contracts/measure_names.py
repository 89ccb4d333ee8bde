"""The names of measures in papers, in ours."""

from collections.abc import Collection

_PUBLISHED = {
    "fid": "frechet_distance",
    "fd": "frechet_distance",
    "kid": "kernel_distance",
    "mmd": "kernel_distance",
    "is": "inception_score",
    "precision": "precision_recall",
    "recall": "precision_recall",
    "density": "density_coverage",
    "coverage": "density_coverage",
    "clip": "clip_score",
    "accuracy": "class_accuracy",
}


def explain_measure(kind: str, name: str, known: Collection[str]) -> str:
    """Return which measure computes what papers call by a name; '' if none does."""
    ours = _PUBLISHED.get(name.lower()) if kind == "measure" else None
    return f"Here it is '{ours}'." if ours in known else ""
