"""Writes the distribution of a new plugin from templates."""

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

MAX_NAME_LENGTH = 30
"""Longer names would break lines that the templates hold on one line."""

_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_PREFIX = "latelier-"
_IMPORTED = frozenset({"latelier", "pairwise", "torch"})
"""Names that the templates import: a function of such a name would hide the import."""

_RENAMED_PARTS = {"workflows": ".github/workflows", "gitignore": ".gitignore"}
"""Part of a template's path -> what it becomes. Tools would act on dotfiles among the templates."""

_TEMPLATES_OF: Mapping[str, tuple[str, ...]] = {
    "first-stage": ("first_stage",),
    "adapter": ("conditioner", "adapter"),
    "adapter-kind": ("adapter_kind",),
    "feature-network": ("feature_network",),
}
"""Folders of a kind's templates; later ones replace files of earlier ones. Default: its name."""


def write_plugin(name: str, kind: PluginKind, parent: Path, author: str) -> Path:
    """Write the distribution latelier-NAME and return its folder in `parent`.

    Args:
        name: of the component, with or without the prefix 'latelier-'.
        kind: of the component.
        parent: folder to put the distribution in.
        author: for the licence.

    Raises:
        InvalidInputError: `name` is unsuitable for a Python package, or the folder exists.
    """
    words = _template_words(name.removeprefix(_PREFIX), kind, author)
    folder = parent / words["distribution"]
    try:
        with atomic_folder(folder, replace=False) as partial:
            for path, text in _fill_in_templates(kind, words).items():
                (partial / path).parent.mkdir(parents=True, exist_ok=True)
                (partial / path).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise InvalidInputError(f"{folder}: exists already; nothing was written") from None
    return folder


def _template_words(name: str, kind: PluginKind, author: str) -> dict[str, str]:
    """Return the replacement of each word in double braces."""
    component = name.replace("-", "_")
    _check_name(name, component)
    distribution = _PREFIX + name.replace("_", "-")
    words = {
        "name": component,
        "distribution": distribution,
        "package": distribution.replace("-", "_"),
        "class": "".join(part.capitalize() for part in component.split("_")),
        "summary": f"A {kind.replace('-', ' ')} for latelier: {component.replace('_', ' ')}",
        "latelier": ".".join(__version__.split(".")[:2]),
        "group": GROUP,
        "extras": "testing,train" if kind == "adapter" else "testing",
        "author": author,
        "year": str(datetime.now().astimezone().year),
    }
    usage = (_TEMPLATES / _folders(kind)[-1] / "usage.md").read_text(encoding="utf-8")
    return {**words, "usage": _replace_words(usage.rstrip("\n"), words)}


def _check_name(name: str, component: str) -> None:
    if not _NAME.fullmatch(name) or keyword.iskeyword(component) or len(name) > MAX_NAME_LENGTH:
        raise InvalidInputError(
            f"invalid name '{name}': expected at most {MAX_NAME_LENGTH} lower-case letters, digits "
            "and dashes, such as 'palette' or 'latelier-palette', and no keyword of Python"
        )
    if component in _IMPORTED:
        raise InvalidInputError(f"invalid name '{name}': the plugin's code imports '{component}'")


def _folders(kind: PluginKind) -> tuple[str, ...]:
    return _TEMPLATES_OF.get(kind, (kind,))


def _fill_in_templates(kind: PluginKind, words: Mapping[str, str]) -> dict[Path, str]:
    """Return the text of each file by its path in the distribution's folder."""
    files = {}
    for root in (_TEMPLATES / folder for folder in ("every", *_folders(kind))):
        for template, path in _template_paths(root, words["package"]):
            files[path] = _replace_words(template.read_text(encoding="utf-8"), words)
    return files


def _template_paths(root: Path, package: str) -> Iterator[tuple[Path, Path]]:
    """Yield each template of a folder, and the path of the file that it becomes."""
    renamed = {"package": package, **_RENAMED_PARTS}
    for template in sorted(root.rglob("*.txt")):
        parts = template.relative_to(root).with_suffix("").parts
        yield template, Path(*(renamed.get(part, part) for part in parts))


def _replace_words(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: words[found[1]], text)
