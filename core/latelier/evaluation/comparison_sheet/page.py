"""A comparison as one HTML file that needs nothing else and works without a network.

The names, the order of the pictures and the measures are encoded, so that nobody sees them by
accident before the last vote.
"""

import base64
import io
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from PIL.Image import Image

from latelier.evaluation.comparison_sheet.comparison import Comparison
from latelier.evaluation.report.numbers import ARROWS, format_interval, format_value
from latelier.evaluation.report.results import MeasuredFigure, Results, align_figures

_FOLDER = files("latelier.evaluation.comparison_sheet") / "page"


def make_page(comparison: Comparison, results: Sequence[Results] = ()) -> str:
    """Return the page as HTML.

    Args:
        comparison: what is compared.
        results: of each side, which are shown after the last vote.
    """
    page = (_FOLDER / "page.html").read_text(encoding="utf-8")
    parts = {
        "/* page.css */": (_FOLDER / "page.css").read_text(encoding="utf-8"),
        "// page.js": (_FOLDER / "page.js").read_text(encoding="utf-8"),
        '"comparison.json"': _to_json(_describe(comparison, results)),
    }
    for mark, part in parts.items():
        page = page.replace(mark, part)
    return page


def _describe(comparison: Comparison, results: Sequence[Results]) -> dict[str, Any]:
    pairs = []
    for k, prompt in enumerate(comparison.prompts):
        left = comparison.left[k]
        left_picture, right_picture = (
            comparison.sides[side].pictures[k] for side in (left, 1 - left)
        )
        pairs.append(
            {
                "prompt": prompt,
                "seed": comparison.seeds[k],
                "left": _to_uri(left_picture),
                "right": _to_uri(right_picture),
            }
        )
    sealed = {
        "names": [side.name for side in comparison.sides],
        "left": comparison.left,
        "measures": [_describe_row(row) for row in align_figures(results)],
    }
    return {
        "id": comparison.id,
        "question": comparison.question,
        "pairs": pairs,
        "sealed": base64.b64encode(json.dumps(sealed).encode()).decode(),
    }


def _describe_row(row: Sequence[MeasuredFigure | None]) -> dict[str, Any]:
    first = next(each for each in row if each is not None)
    return {
        "title": f"{first.figure.title} {ARROWS[first.figure.better]}",
        "network": first.network,
        "values": [_describe_value(each) for each in row],
    }


def _describe_value(measured: MeasuredFigure | None) -> dict[str, str]:
    if measured is None:
        return {"value": "-", "interval": ""}
    figure = measured.figure
    return {"value": format_value(figure), "interval": format_interval(figure)}


def _to_uri(picture: Image) -> str:
    """Return a picture without loss, and without what its file said of it."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _to_json(value: Any) -> str:
    """Return a value as JSON in which nothing can end the script element around it."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")
