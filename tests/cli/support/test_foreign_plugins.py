"""The plugins of libraries are skipped where there are none, or one is damaged."""

import os
import subprocess
import sys

import pytest

GROUPS = {"pydantic": "PYDANTIC_DISABLE_PLUGINS", "torch.backends": "TORCH_DEVICE_BACKEND_AUTOLOAD"}


def install(folder, entry_points):
    info = folder / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(entry_points)


@pytest.fixture
def damaged(tmp_path):
    install(tmp_path, b"\xff\xd9" * 200)
    return tmp_path


def run(folder, *arguments):
    # other tests may have run commands in this process, which set the variables
    variables = {key: value for key, value in os.environ.items() if key not in GROUPS.values()}
    return subprocess.run(
        [sys.executable, *arguments],
        env=variables | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("command", "warnings"),
    [
        (["models", "list"], 0),
        (["samplers", "list"], 1),
        (["plugins", "list"], 1),
        (["plugins", "show", "latelier:samplers"], 1),
    ],
)
def test_damaged_entry_points_stop_no_command(damaged, command, warnings):
    done = run(damaged, "-m", "latelier", *command)
    assert done.returncode == 0, done.stderr
    assert "crashed" not in done.stdout
    assert done.stderr.count("other-1.0.dist-info cannot be read: UnicodeDecode") == warnings
    assert len(done.stderr.splitlines()) == warnings


def test_damaged_entry_points_do_not_stop_a_new_plugin(damaged):
    command = ["plugins", "new", "leap", "--kind", "sampler", "--folder", str(damaged)]
    done = run(damaged, "-m", "latelier", *command)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_plugins_that_are_installed_stay_enabled(tmp_path, group):
    install(tmp_path, f"[{group}]\nother = other:plugin\n".encode())
    code = (
        "import os\n"
        "from latelier.cli.support.foreign_plugins import skip_absent_plugins\n"
        "skip_absent_plugins()\n"
        "print(*os.environ)"
    )
    found = set(run(tmp_path, "-c", code).stdout.split())
    assert found & set(GROUPS.values()) == set(GROUPS.values()) - {GROUPS[group]}
