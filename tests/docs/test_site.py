"""The documentation site: links between its pages, and no resource from another host."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import latelier
import latelier.testing
from latelier.kernel.registry import Registry

pytest.importorskip("mkdocs")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hooks(import_tool):
    return import_tool("site_hooks")


def page(uri):
    return SimpleNamespace(file=SimpleNamespace(src_uri=uri))


@pytest.mark.parametrize(
    ("uri", "text", "rewritten"),
    [
        ("index.md", "[x](docs/cli.md#models)", "[x](cli.md#models)"),
        ("index.md", "![x](docs/images/a.png)", "![x](images/a.png)"),
        ("cli.md", "[x](../CONTRIBUTING.md#y)", "[x](contributing.md#y)"),
        ("api/latelier.md", "[x](../cli.md)", "[x](../cli.md)"),
        ("notices.md", "[x](LICENSES/Apache-2.0.txt)", "x"),
        ("index.md", "[x](https://example.org/a.md)", "[x](https://example.org/a.md)"),
        ("index.md", "`[x](nowhere.md)`", "`[x](nowhere.md)`"),
    ],
)
def test_links_are_rewritten(hooks, uri, text, rewritten, monkeypatch, tmp_path):
    for path in ("docs/cli.md", "docs/images/a.png", "CONTRIBUTING.md", "LICENSES/Apache-2.0.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.setattr(hooks, "ROOT", tmp_path)
    assert hooks.on_page_markdown(text, page(uri)) == rewritten


def test_a_broken_link_is_an_error(hooks):
    with pytest.raises(Exception, match=r"README\.md: the link 'docs/nowhere\.md'"):
        hooks.on_page_markdown("[x](docs/nowhere.md)", page("index.md"))


@pytest.mark.parametrize(
    "html",
    [
        '<script src="https://unpkg.com/mermaid"></script>',
        '<link rel="stylesheet" href="https://fonts.googleapis.com/css">',
        '<img alt="x" src="//example.org/a.png">',
    ],
)
def test_a_resource_of_another_host_is_an_error(hooks, html):
    with pytest.raises(Exception, match="from another host"):
        hooks.on_post_page(html, page("index.md"))


def test_a_link_to_another_host_is_allowed(hooks):
    html = '<a href="https://arxiv.org">x</a><link rel="canonical" href="https://a.org">'
    assert hooks.on_post_page(html, page("index.md")) == html


def test_all_components_are_listed(hooks, built_ins):
    listed = hooks.on_page_markdown("<!-- components: sampler -->", page("api/samplers.md"))
    assert {line.rpartition(".")[2] for line in listed.splitlines()} == {
        spec.factory.rpartition(":")[2] for spec in built_ins.samplers.specs()
    }


def test_each_page_is_in_the_navigation():
    navigation = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text().partition("nav:")[2])
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    outside = {"index.md", "contributing.md", "changelog.md", "notices.md"}
    assert set(navigation) == pages | outside


def test_the_reference_has_all_public_names():
    pages = "".join(path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    documented = set(re.findall(r"^::: ([\w.]+)$", pages, re.MULTILINE))
    for name in latelier.__all__:
        public = getattr(latelier, name)
        home = getattr(public, "__module__", "")
        if home.startswith("latelier.") and not isinstance(public, Registry):
            assert {home, f"{home}.{name}"} & documented, name
    for name in latelier.testing.__all__:
        assert any(each.endswith(f".{name}") for each in documented), name
