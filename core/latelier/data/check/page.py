"""The result of a check as one HTML file that needs nothing else, and as a contact sheet."""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from PIL.Image import Image

from latelier.data.check.check import CheckResult, Finding
from latelier.data.check.facts import THUMBNAIL
from latelier.data.contact_sheet import draw_contact_sheet

_MAX_NAMES = 20
"""Most names that a finding shows."""

_MAX_BARS = 40
"""Most classes that a histogram shows."""

_STYLE = """
:root { color-scheme: light dark; --ink: #26262b; --soft: #6d6d78; --line: #e4e4ea;
  --paper: #fff; --bar: #8aa4d6; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8ee; --soft: #9c9ca8; --line: #34343c;
  --paper: #17171b; --bar: #4a68a8; --bad: #f2867e; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.5rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1rem; font-weight: 600; margin: 2.5rem 0 .75rem; }
p { margin: .25rem 0; color: var(--soft); }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr));
  gap: 0 2.5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td { padding: .15rem .5rem .15rem 0; border-bottom: 1px solid var(--line); }
td.number { text-align: right; white-space: nowrap; }
td.bar { width: 45%; padding-right: 0; }
td.bar i { display: block; height: .7rem; border-radius: .2rem; background: var(--bar); }
li { margin: .35rem 0; }
li small { color: var(--soft); overflow-wrap: anywhere; display: block; }
ul { padding-left: 1.1rem; margin: 0; }
li.problem b { color: var(--bad); }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr));
  gap: 1.25rem 1rem; }
figure { margin: 0; }
figure div { aspect-ratio: 1; display: flex; align-items: center; justify-content: center; }
img { max-width: 100%; max-height: 100%; border-radius: .25rem; }
figcaption { font-size: .8rem; line-height: 1.35; color: var(--soft); margin-top: .35rem;
  overflow-wrap: anywhere; display: -webkit-box; -webkit-line-clamp: 4;
  -webkit-box-orient: vertical; overflow: hidden; }
"""


def draw_check_sheet(result: CheckResult) -> Image:
    """Return a contact sheet of pictures from the whole data set, with captions or names.

    Raises:
        ValueError: no picture can be used.
    """
    shown = list(_shown(result))
    return draw_contact_sheet(
        [image for image, _ in shown], [caption for _, caption in shown], tile=THUMBNAIL
    )


def make_page(result: CheckResult) -> str:
    """Return the page as HTML. Texts of the data set are escaped; it has no scripts."""
    numbers, manifest = result.numbers, result.manifest
    sections = [
        ("Findings", _findings(result.findings)),
        ("Short side in pixels", _bars(numbers["sizes"].get("short_side", {}))),
        ("Aspect ratio", _bars(numbers["sizes"].get("aspect_ratio", {}))),
        ("Captions", _captions(numbers["captions"])),
        ("Classes", _bars(numbers["classes"]["pictures"])),
        ("Boxes", _bars(numbers["boxes"]["labels"])),
        ("Maps", _rows(numbers["maps"])),
    ]
    head, *rest = [f"<section><h2>{name}</h2>{body}</section>" for name, body in sections if body]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(manifest.origin)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(manifest.origin)}</h1>"
        f"<p>{len(manifest)} pictures, {len(result.facts)} of them usable; "
        f"files are relative to {escape(str(manifest.root))}</p>"
        f'{head}<div class="columns">{"".join(rest)}</div>'
        f'<h2>Pictures</h2><div class="sheet">{"".join(_figures(result))}</div></html>\n'
    )


def _findings(findings: Iterable[Finding]) -> str:
    items = [
        f'<li class="{each.severity}"><b>{len(each.samples)}</b> {escape(each.text)}'
        f"<small>{escape(shorten_names(each.samples))}</small></li>"
        for each in findings
    ]
    return f"<ul>{''.join(items)}</ul>" if items else "<p>None.</p>"


def shorten_names(names: tuple[str, ...], most: int = _MAX_NAMES) -> str:
    """Return the first names of a finding, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _captions(numbers: Mapping[str, Any]) -> str:
    if not numbers["total"]:
        return ""
    rows = {name.replace("_", " "): value for name, value in numbers.items() if name != "words"}
    return _rows(rows | {f"{name} words": value for name, value in numbers["words"].items()})


def _rows(values: Mapping[str, Any]) -> str:
    rows = (
        f'<tr><td>{escape(name.replace("_", " "))}</td><td class="number">{value}</td></tr>'
        for name, value in values.items()
    )
    return f"<table>{''.join(rows)}</table>" if values else ""


def _bars(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    most = max(counts.values())
    rows = [
        f'<tr><td>{escape(name)}</td><td class="number">{count}</td>'
        f'<td class="bar"><i style="width:{100 * count / most:.1f}%"></i></td></tr>'
        for name, count in list(counts.items())[:_MAX_BARS]
    ]
    more = len(counts) - _MAX_BARS
    note = f"<p>and {more} more</p>" if more > 0 else ""
    return f"<table>{''.join(rows)}</table>{note}"


def _figures(result: CheckResult) -> Iterator[str]:
    for image, caption in _shown(result):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=82)
        data = base64.b64encode(buffer.getvalue()).decode()
        yield (
            f'<figure><div><img alt="" src="data:image/jpeg;base64,{data}"></div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )


def _shown(result: CheckResult) -> Iterator[tuple[Image, str]]:
    """Yield the thumbnails, each with its first caption or else its name."""
    thumbnails = {each.name: each.thumbnail for each in result.facts if each.thumbnail is not None}
    for record in result.manifest:
        image = thumbnails.pop(record.name, None)
        if image is not None:
            yield image, record.captions[0].text if record.captions else record.name
