"""Checks that a component leaves the network, other processes and other files alone."""

from pathlib import Path

import pytest

from latelier.testing.component import ComponentContract
from latelier.testing.support.audit import Activity


class SideEffectChecks(ComponentContract):
    """Checks of the fixture `activity`, which a subclass defines.

    It records what a component does in a process whose home is an empty folder; see
    `isolate_home`.
    """

    def test_it_opens_no_connection(self, activity: Activity) -> None:
        """All its files are installed with it or given to it: nothing is fetched."""
        assert not activity.connections, (
            f"it uses the network: {'; '.join(activity.connections)}. Ship its files in the wheel, "
            "or read them from where the host says"
        )

    def test_it_starts_no_process(self, activity: Activity) -> None:
        """Hosts run it among many threads, where new processes are not safe."""
        assert not activity.processes, f"it starts a process: {'; '.join(activity.processes)}"

    def test_it_writes_no_files(self, activity: Activity) -> None:
        """It may write temporary files, and no others: no caches at home, no logs."""
        assert not activity.writes, (
            f"it writes {', '.join(sorted(set(activity.writes)))}: keep what it learns in memory "
            "(assets()), and temporary files in tempfile's folder"
        )


def isolate_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the home and the working directory; return that of temporary files."""
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    for name in ("HOME", "USERPROFILE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(home)
    return temporary
