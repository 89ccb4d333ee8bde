"""Writing the distribution of a new plugin."""

import keyword
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from latelier._version import __version__
from latelier.contracts.errors import InvalidInputError
from latelier.io.atomic import atomic_folder
from latelier.kernel.trust.entry_points import GROUP
from latelier.scaffold.kinds import PluginKind

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_PREFIX = "latelier-"
_PLACES = {"workflows": ".github/workflows", "gitignore": ".gitignore"}
"""Names of templates that are kept under others: tools read dotfiles wherever they lie."""

_USAGE = {
    "conditioner": "A pipeline whose denoiser takes a stream of that name has the input\n"
    "`{{name}}`: `pipe.generate({{name}}=0.5)`, `latelier generate --condition {{name}}=0.5`.",
    "sampler": 'Every model has it: `pipe.generate("a cat", sampler="{{name}}")`,\n'
    '`latelier generate "a cat" --sampler {{name}}`.',
    "first-stage": 'Compose it: `latelier.compose(first_stage=("{{name}}", {"factor": 2}), ...)`.',
    "denoiser": 'Compose it: `latelier.compose(denoiser=("{{name}}", {"channels": 4}), ...)`.',
    "importer": "`latelier import FILE FOLDER` reads what it recognises.",
}


def write_plugin(name: str, kind: PluginKind, parent: Path, author: str) -> Path:
    """Write a distribution called latelier-NAME, and return its folder in `parent`.

    Args:
        name: of the component, with or without 'latelier-' before it.
        kind: of the component.
        parent: the folder to put it in.
        author: for the licence.

    Raises:
        InvalidInputError: the name cannot be one of a Python package, or the folder exists.
    """
    words = _filled_in(name.removeprefix(_PREFIX), kind, author)
    folder = parent / words["distribution"]
    if folder.exists():
        raise InvalidInputError(f"{folder}: exists already; nothing was written")
    with atomic_folder(folder, replace=False) as temporary:
        for path, text in _files(kind, words):
            (temporary / path).parent.mkdir(parents=True, exist_ok=True)
            (temporary / path).write_text(text, encoding="utf-8")
    return folder


def _filled_in(name: str, kind: PluginKind, author: str) -> dict[str, str]:
    """Return what stands for each word in double braces."""
    component = name.replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(component):
        raise InvalidInputError(
            f"a plugin's name is lower-case letters, digits and dashes, such as 'palette' or "
            f"'latelier-palette', and no word of Python; not '{name}'"
        )
    distribution = _PREFIX + name.replace("_", "-")
    words = {
        "name": component,
        "distribution": distribution,
        "package": distribution.replace("-", "_"),
        "class": "".join(part.capitalize() for part in component.split("_")),
        "summary": f"A {kind.replace('-', ' ')} for latelier: {component.replace('_', ' ')}",
        "latelier": ".".join(__version__.split(".")[:2]),
        "group": GROUP,
        "author": author,
        "year": str(datetime.now().astimezone().year),
    }
    return {**words, "usage": _replaced(_USAGE[kind], words)}


def _files(kind: PluginKind, words: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Yield the path, relative to the distribution's folder, and the text of each file."""
    for root in (_TEMPLATES / "every", _TEMPLATES / kind.replace("-", "_")):
        for template in sorted(root.rglob("*.txt")):
            path = template.relative_to(root).with_suffix("")
            places = {"package": words["package"], **_PLACES}
            parts = [places.get(part, part) for part in path.parts]
            yield Path(*parts), _replaced(template.read_text(encoding="utf-8"), words)


def _replaced(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)
