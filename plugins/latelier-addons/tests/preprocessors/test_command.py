"""`latelier preprocess` as a person types it."""

import pytest
from latelier.cli.support.lazy import LightTyper
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from latelier_addons.preprocessors.command import preprocess, write_hint


@pytest.fixture
def run():
    app = LightTyper()
    app.command("preprocess")(preprocess)
    return lambda *arguments: CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.fixture
def photo(tmp_path):
    image = Image.new("RGB", (64, 48), "white")
    ImageDraw.Draw(image).ellipse((10, 10, 40, 40), fill="navy")
    image.save(tmp_path / "photo.jpg")
    return tmp_path / "photo.jpg"


def test_it_writes_the_hint(run, photo, tmp_path):
    edges = tmp_path / "edges.png"
    result = run("canny", photo, edges)
    assert result.exit_code == 0, result.output
    assert result.output.strip() == str(edges)
    with Image.open(edges) as image:
        assert image.size == (64, 48)
        assert {color for _, color in image.getcolors()} == {(0, 0, 0), (255, 255, 255)}
    result = run("blur", photo, edges, "--sigma", 2, "--force")
    assert result.exit_code == 0, result.output
    with Image.open(edges) as image:
        assert image.getcolors() is None


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("cany", {}, "no preprocessor 'cany'. Did you mean 'canny'"),
        ("canny", {"sigma": 2.0}, "canny has no option 'sigma'. Known: high, low"),
    ],
)
def test_unknown_names(photo, tmp_path, name, options, match):
    with pytest.raises(UnknownNameError, match=match):
        write_hint(name, photo, tmp_path / "a.png", options)
    assert not (tmp_path / "a.png").exists()


def test_files_that_are_missing_or_there(photo, tmp_path):
    with pytest.raises(InvalidInputError, match="already exists"):
        write_hint("canny", photo, photo, {})
    with pytest.raises(InvalidInputError, match=r"nowhere\.png"):
        write_hint("canny", tmp_path / "nowhere.png", tmp_path / "a.png", {})
    with pytest.raises(InvalidInputError, match="pictures are written as"):
        write_hint("canny", photo, tmp_path / "a.gif", {})
