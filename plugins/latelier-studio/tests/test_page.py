"""The routes of the page, without a browser."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from latelier.kernel.atelier import Atelier
from starlette.applications import Starlette
from starlette.testclient import TestClient

from latelier_studio import page
from latelier_studio.page import FILES, find_widgets

MAX_BYTES = 150 * 1024


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=page.routes))


def test_the_page_has_all_its_files_and_a_policy(client):
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in re.findall(r'(?:href|src)="([^"]+)"', answer.text):
        assert client.get(path).status_code == 200, path


def test_the_page_loads_nothing_from_elsewhere():
    for name in ("index.html", "studio.js", "style.css"):
        addresses = set(re.findall(r"https?://[\w.]+", (FILES / name).read_text()))
        assert addresses <= {"http://www.w3.org"}, name  # the name space of SVG


def test_the_page_is_light():
    import gzip

    assert sum(len(gzip.compress(path.read_bytes())) for path in FILES.iterdir()) < MAX_BYTES


@pytest.mark.parametrize(
    "path",
    [
        "widgets/latelier/text.js",
        "widgets/nobody/x.js",
        "../page.py",
        "%2e%2e/page.py",
        "absent.js",
    ],
)
def test_other_files_are_not_served(client, path):
    assert client.get(f"/studio/{path}").status_code == 404


def test_a_plugin_names_its_widget_by_a_string(client, monkeypatch, tmp_path):
    (tmp_path / "foo_widget.py").write_text(
        "from pydantic import BaseModel\n"
        "class Foo(BaseModel, json_schema_extra={'format': 'foo'}): ...\n"
    )
    (tmp_path / "foo_pages").mkdir()
    (tmp_path / "foo_pages" / "foo.js").write_text("export default class extends HTMLElement {}")
    monkeypatch.syspath_prepend(tmp_path)

    from latelier import hookimpl

    class Plugin:
        @hookimpl
        def latelier_register(self, registrar):
            registrar.conditioner(
                "foo",
                factory="foo_widget:Foo",
                config="foo_widget:Foo",
                input="foo_widget:Foo",
                widget="foo_pages:foo.js",
            )

    atelier = Atelier()
    atelier.register(Plugin(), "latelier-foo")
    monkeypatch.setattr(page, "default_atelier", lambda: atelier)
    url = find_widgets(atelier)["foo"]
    answer = client.get(url)
    assert answer.text.startswith("export default class")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert client.get("/studio/widgets").json()["foo"] == url


def test_the_command_explains_itself():
    root = Path(__file__).parents[1]
    code = "import typer; from latelier_studio.command import studio; typer.run(studio)"
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root.parent}/latelier-server"}
    command = [sys.executable, "-c", code, "--host", "0.0.0.0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "give the server keys" in done.stderr
