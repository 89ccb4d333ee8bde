"""Damaged entry points of any distribution stop no command."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("command", "warnings"), [(["models", "list"], 0), (["samplers", "list"], 1)]
)
def test_damaged_entry_points_stop_no_command(tmp_path, command, warnings):
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(b"\xff\xd9" * 200)
    done = subprocess.run(
        [sys.executable, "-m", "latelier", *command],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count(f"the metadata in {info} cannot be read: UnicodeDecode") == warnings
    assert len(done.stderr.splitlines()) == warnings
