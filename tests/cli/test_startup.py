"""Imports that commands avoid, and broken plugins that do not stop them."""

import subprocess
import sys

import pytest
from PIL import Image

import latelier

SCRIPT = """
import sys
from latelier.cli.main import main
try:
    main(sys.argv[1:])
finally:
    names = {name.partition(".")[0] for name in sys.modules}
    print("IMPORTED", *sorted(names), file=sys.stderr)
"""

HEAVY = {"torch", "numpy", "PIL", "kornia", "diffusers"}
NONE_OF_OURS = {"latelier_samplers", "latelier_conditioners", "rich", "pydantic", "pluggy"}


def imported(*arguments: object) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.partition("IMPORTED")[2].split())


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--help"], HEAVY | NONE_OF_OURS),
        (["--version"], HEAVY | NONE_OF_OURS),
        (["plugins", "list"], HEAVY | NONE_OF_OURS),
        (["generate", "--help"], HEAVY),
        (["train", "denoiser", "--help"], HEAVY),
        (["models", "list"], HEAVY),
    ],
)
def test_commands_do_not_import_heavy_packages(arguments, forbidden):
    assert not imported(*arguments) & forbidden


def test_showing_and_verifying_a_model_imports_no_torch(tiny_model):
    assert "torch" not in imported("models", "show", tiny_model)
    assert "torch" not in imported("models", "verify", tiny_model)


def test_stripping_a_picture_imports_no_torch(tmp_path):
    Image.new("RGB", (2, 2)).save(tmp_path / "a.png")
    assert not imported("strip", tmp_path / "a.png", "--force") & HEAVY


def test_showing_a_picture_imports_no_torch(tiny_model, cli, tmp_path):
    cli("generate", "a cat", "-m", tiny_model, "-o", "a.png")
    assert "torch" not in imported("show", tmp_path / "a.png")


def test_help_lists_every_command(cli):
    done = cli("--help")
    assert done.status == 0
    for name in ("generate", "train", "data", "models", "plugins", "replay", "show", "strip"):
        assert f"\n  {name} " in done.out


@pytest.mark.parametrize(
    "command", ["generate", "train", "data", "models", "plugins", "replay", "show", "strip"]
)
def test_the_list_and_the_help_of_a_command_agree(cli, command):
    done = cli(command, "--help")
    assert done.status == 0
    assert done.out.startswith(f"Usage: latelier {command}")
    line = next(x for x in cli("--help").out.splitlines() if x.startswith(f"  {command} "))
    assert line.split(maxsplit=1)[1].rstrip(".") in done.out


def test_the_version_is_printed(cli):
    assert cli("--version").out == f"latelier {latelier.__version__}\n"


def test_a_plugin_that_raises_is_listed_and_does_not_stop_the_help(install):
    install("latelier-broken", "raise SystemExit(7)")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "plugins", "list"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "latelier-broken:main" in done.stdout
    assert "latelier_broken" not in imported("--help")
    helped = subprocess.run(
        [sys.executable, "-c", SCRIPT, "generate", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert helped.returncode == 0
    assert helped.stderr.startswith("warning: plugin 'latelier-broken:main'")


def test_the_help_of_generate_names_installed_components(cli):
    out = cli("generate", "--help").out
    for name in ("dpmpp_2m", "karras", "cfg", "class_label"):
        assert name in out


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "latelier", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"latelier {latelier.__version__}\n"
