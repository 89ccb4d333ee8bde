import sys
from importlib.metadata import distributions
from pathlib import Path
from textwrap import dedent

import pytest

from latelier.kernel.atelier import Atelier
from latelier.kernel.discovery import GROUP, discover
from latelier.kernel.policy import Policy

REGISTERS = """
    from latelier import hookimpl

    class Plugin:
        @hookimpl
        def latelier_register(self, registrar):
            {body}

    plugin = Plugin()
"""
HEALTHY = REGISTERS.format(body='registrar.sampler("{name}", factory="healthy:sampler")')


class Site:
    """A folder of installed distributions, made by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(
        self,
        distribution: str,
        code: str,
        *,
        module: str | None = None,
        entries: dict[str, str] | None = None,
        group: str = GROUP,
        version: str = "1.0",
    ) -> None:
        """Install a distribution of one module, whose entry point is its `plugin`."""
        module = module or distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(dedent(code))
        info = self.folder / f"{distribution}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = [f"{k} = {v}" for k, v in (entries or {"main": f"{module}:plugin"}).items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    def candidates(self, *more: Path):
        paths = [str(self.folder), *map(str, more)]
        return discover(distributions(path=paths))

    def atelier(self, policy: Policy | None = None, *, strict: bool = False) -> Atelier:
        return Atelier(policy=policy or Policy(), candidates=self.candidates(), strict=strict)


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty site on sys.path; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def publish_healthy(site):
    """Install a distribution that registers one sampler, of the name given."""

    def publish(distribution: str = "latelier-healthy", sampler: str = "healthy") -> None:
        site.publish(distribution, HEALTHY.format(name=sampler))

    return publish
