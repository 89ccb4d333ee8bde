"""Hooks of the documentation site (mkdocs.yml).

README.md and its like stand outside of docs/ and are read on their own as well. Here they become
pages of the site, and the links between them and docs/ are rewritten to the site's own paths.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy

ROOT = Path(__file__).parents[1]

PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "THIRD_PARTY_NOTICES.md": "notices.md",
}
"""The pages from outside of docs/: path in the repository -> page of the site."""

CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?:|#)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
COMPONENTS = re.compile(r"^<!-- components: (\w+) -->$", re.MULTILINE)
EXTERNAL = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'> ]*"""
    r"""|<link\b[^>]*\brel=["']?(?:stylesheet|pre)[^>]*\bhref=["']?(?:https?:)?//[^"'> ]*""",
    re.IGNORECASE,
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside of docs/."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite links between files of the repository, and list registered components."""
    target = page.file.src_uri
    source = {page: path for path, page in PAGES.items()}.get(target, f"docs/{target}")
    markdown = COMPONENTS.sub(lambda marker: list_components(marker[1]), markdown)
    parts = CODE.split(markdown)  # text and code take turns
    parts[::2] = [LINK.sub(lambda link: rewrite(link, source, target), text) for text in parts[::2]]
    return "".join(parts)


def rewrite(link: re.Match[str], source: str, page: str) -> str:
    """Return a link in the repository's file `source` as one in the site's page `page`.

    A link to a file that is no page becomes plain text.

    Raises:
        PluginError: The linked file does not exist.
    """
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
    if not (ROOT / path).exists():
        raise PluginError(f"{source}: the link '{link['path']}' leads to no file")
    if path not in PAGES and not path.startswith("docs/"):
        return link["text"]
    place = PAGES.get(path, path.removeprefix("docs/"))
    relative = posixpath.relpath(place, posixpath.dirname(page) or ".")
    return f"[{link['text']}]({relative}{link['anchor'] or ''})"


def list_components(kind: str) -> str:
    """Return directives that document the built-in components of a kind from their docstrings."""
    registry = Atelier(policy=Policy(allow=frozenset())).registries[kind]
    factories = {registry.spec(name).factory: None for name in registry.names()}
    return "\n".join(f"::: {factory.replace(':', '.')}" for factory in factories)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Check that a page loads nothing from another host.

    Raises:
        PluginError: The page does.
    """
    if found := EXTERNAL.search(output):
        raise PluginError(f"{page.file.src_uri}: the page loads {found[0]} from another host")
    return output
