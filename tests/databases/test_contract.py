"""The conformance kit over the databases that are registered here, and over a folder."""

import pytest
from PIL import Image

from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.testing import DatabaseContract


class TestEmoji(DatabaseContract):
    component = "latelier/emoji"


class Shapes:
    """A plugin whose database is a folder, without code."""

    def latelier_register(self, registrar):
        registrar.database("shapes", folder="shapes_package:pictures")


class TestShapes(DatabaseContract):
    component = "latelier-shapes/shapes"

    @pytest.fixture(autouse=True)
    def shapes(self, tmp_path, monkeypatch):
        from latelier.kernel.hookspecs import hookimpl

        folder = tmp_path / "shapes_package" / "pictures"
        folder.mkdir(parents=True)
        for name in ("Blue_Star", "box-of-cherries", "fish"):
            Image.new("RGBA", (9, 7), "red").save(folder / f"{name}.png")
        (folder.parent / "__init__.py").touch()
        monkeypatch.syspath_prepend(tmp_path)
        plugin = type("Plugin", (), {"latelier_register": hookimpl(Shapes.latelier_register)})()
        self.made = Atelier(policy=Policy(allow=frozenset()), strict=True)
        self.made.register(plugin, "latelier-shapes", "1.0")

    def atelier(self):
        return self.made
