"""Full disks, missing homes, interrupts, and plugins that print: one line, a clear status."""

import json
import os
import resource
import signal
import subprocess
import sys

import pytest
from PIL import Image

from latelier.cli.support.failures import explain

PROGRAM = [sys.executable, "-m", "latelier"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "No space left on device", "a.png"), "a.png: No space left on device"),
        (PermissionError(13, "Permission denied", "/x"), "/x: Permission denied"),
        (OSError("no number"), "no number"),
        (MemoryError(), "not enough memory: none is left"),
        (
            RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory\nmore"),
            "not enough memory: can't allocate memory",
        ),
        (BrokenPipeError(32, "Broken pipe"), None),
        (RuntimeError("a bug"), None),
        (KeyError("a bug"), None),
    ],
)
def test_fixable_failures_are_one_line(error, text):
    assert explain(error) == text


class TestPlacesThatCannotBeWritten:
    @pytest.mark.parametrize(
        "command",
        [
            ("data", "preview", "-n", "1", "-o", "file/x.png"),
            ("generate", "a cat", "-m", "MODEL", "-o", "file/x.png"),
            ("generate", "a cat", "-m", "MODEL", "--sheet", "file/x.png"),
            ("replay", "made.png", "-o", "file/x.png"),
            ("strip", "made.png", "-o", "file/x.png"),
        ],
    )
    def test_a_file_in_place_of_a_folder_is_an_error(self, cli, tiny_model, tmp_path, command):
        (tmp_path / "file").touch()
        cli("generate", "a cat", "-m", tiny_model, "-o", "made.png")
        done = cli(*(tiny_model if each == "MODEL" else each for each in command))
        assert (done.status, done.out) == (2, ""), done
        assert done.err.startswith("error: file/x.png: cannot be written: ")
        assert len(done.err.splitlines()) == 1

    @pytest.mark.parametrize(
        "command",
        [
            ("data", "preview", "-n", "64", "-o", "x.png"),
            ("generate", "a cat", "-m", "MODEL", "-o", "x.png"),
            ("plugins", "lock"),
        ],
    )
    def test_a_full_disk_is_an_error(self, tiny_model, tmp_path, command):
        done = run(
            *(str(tiny_model) if each == "MODEL" else each for each in command),
            cwd=tmp_path,
            preexec_fn=limit_file_size,
        )
        if command[0] == "plugins" and done.returncode == 0:
            pytest.skip("no plugins to lock")
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.startswith("error: ")
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("command", [("generate", "a cat"), ("data", "preview", "-n", "1")])
    def test_a_deleted_current_folder_is_an_error(self, tmp_path, command):
        gone = tmp_path / "gone"
        gone.mkdir()
        script = 'rmdir "$PWD"; exec "$@"'
        done = run(*command, program=["sh", "-c", script, "sh", *PROGRAM], cwd=gone)
        assert (done.returncode, done.stdout) == (2, ""), done
        assert done.stderr.endswith("the current folder no longer exists\n")

    def test_a_full_standard_output_is_an_error(self):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            done = run("samplers", "list", stdout=full)
        assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")

    def test_debug_shows_the_traceback(self):
        with open("/dev/full", "w") as full:  # noqa: PTH123
            done = run("--debug", "samplers", "list", stdout=full)
        assert done.returncode == 2
        assert "Traceback" in done.stderr


def test_a_closed_standard_error_does_not_prevent_a_picture(tiny_model, tmp_path, install):
    install("latelier-broken", "raise OSError('a warning')")
    shell = ["sh", "-c", 'exec "$@" 2>&-', "sh", *PROGRAM]
    command = ("generate", "a cat", "-m", str(tiny_model), "-o", "a.png")
    done = run(*command, program=shell, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a.png\n")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def run(*command, program=PROGRAM, **options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **options.pop("env", {})}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.run(
        [*program, *command], env=environment, text=True, check=False, **{**pipes, **options}
    )


def limit_file_size():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))


PRINTS = """
import latelier
print("welcome from the import")

class Plugin:
    @latelier.hookimpl
    def latelier_register(self, registrar):
        print("welcome from the registration")
        registrar.sampler("printing", factory="latelier_printing:printing")

    @latelier.hookimpl
    def latelier_after_step(self, step, sigma):
        print("welcome from a hook")

def printing(denoise, x, grid, /, *, noise):
    from latelier_samplers.heun import heun
    print("welcome from a sampler")
    yield from heun(denoise, x, grid)

plugin = Plugin()
"""

JSON_COMMANDS = [
    ("generate", "a cat", "-m", "MODEL", "--sampler", "printing", "--json"),
    ("replay", "made.png", "--json"),
    ("show", "made.png", "--json"),
    ("strip", "made.png", "-o", "bare.png", "--json"),
    ("evaluate", "cost", "MODEL", "--steps", "1", "--batch-size", "1", "--json"),
    ("evaluate", "votes", "votes.json", "--json"),
    ("models", "list", "--json"),
    ("data", "check", "pictures", "--json"),
    ("data", "cache", "denoiser", "training.yaml", "--json"),
    ("models", "show", "MODEL", "--json"),
    ("models", "verify", "MODEL", "--json"),
    ("models", "presets", "--json"),
    ("models", "cache", "--json"),
    ("databases", "list", "--json"),
    ("databases", "show", "emoji", "--json"),
    ("measures", "list", "--json"),
    ("measures", "show", "scenes", "--json"),
    ("samplers", "list", "--json"),
    ("samplers", "show", "printing", "--json"),
    ("samplers", "compare", "--sampler", "printing", "--nfe", "5", "--seeds", "1", "--json"),
    ("plugins", "list", "--json"),
    ("plugins", "show", "latelier-printing", "--json"),
    ("plugins", "doctor", "latelier-printing", "--json"),
    ("plugins", "lock", "--json"),
    ("plugins", "disable", "latelier-printing", "--json"),
    ("plugins", "enable", "latelier-printing", "--json"),
]


VOTES = json.dumps(
    {
        "format": "latelier-votes",
        "comparison": "abc",
        "question": "?",
        "models": ["one", "two"],
        "votes": [{"prompt": "", "seed": 0, "left": 0, "preferred": 0}],
    }
)


@pytest.mark.parametrize("command", JSON_COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_prints_of_a_plugin_stay_out_of_json(tiny_model, tmp_path, install, command):
    install("latelier-printing", PRINTS)
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    typed = [str(tiny_model) if each == "MODEL" else each for each in command]
    if "data" in command:
        (tmp_path / "pictures").mkdir()
        for number in range(3):
            picture = Image.new("RGB", (16, 16), (80 * number, 0, 0))
            picture.save(tmp_path / "pictures" / f"{number}.png")
        (tmp_path / "training.yaml").write_text(
            f"out: run\nsteps: 1\nstart_from: {tiny_model}\nconditioners: {{}}\n"
            "data: {path: pictures, size: 16, cache: cache}\n"
        )
    if "votes.json" in command:
        (tmp_path / "votes.json").write_text(VOTES)
    if "made.png" in command:
        made = run("generate", "a cat", "-m", tiny_model, "-o", "made.png", cwd=tmp_path)
        assert (made.returncode, made.stdout) == (0, "made.png\n"), made
    done = run(*typed, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done
    json.loads(done.stdout)
    assert "welcome" not in done.stdout.replace('"welcome', "")


GROUPS = ("data", "databases", "evaluate", "measures", "models", "samplers", "plugins")
"""Commands with subcommands."""


def test_every_command_with_json_is_tested(cli):
    from latelier.cli.support.lazy import COMMANDS

    found = set()
    for command in COMMANDS:
        out = cli(command, "--help").out
        subcommands = [
            line.split()[0]
            for line in out.partition("Commands:\n")[2].splitlines()
            if line.startswith("  ") and not line.startswith("   ")
        ]
        for words in [(command, each) for each in subcommands] or [(command,)]:
            if "--json" in cli(*words, "--help").out:
                found.add(words)
    listed = {command[: 2 if command[0] in GROUPS else 1] for command in JSON_COMMANDS}
    assert found - listed == {("import",), ("export",)}  # see test_import


NO_HOME = """
import os, pwd, sys
for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
    os.environ.pop(name, None)
def nobody(_): raise KeyError("no such user")
pwd.getpwuid = nobody
from latelier.cli.main import main
main()
"""


@pytest.mark.parametrize(
    "command",
    [
        ("--help",),
        ("samplers", "list"),
        ("samplers", "show", "heun"),
        ("models", "list"),
        ("models", "show", "emoji-scenes"),
        ("models", "verify", "emoji-scenes"),
        ("plugins", "list"),
        ("plugins", "doctor", "latelier:samplers"),
        ("generate", "a cat", "-m", "MODEL", "-o", "a.png"),
        ("data", "preview", "-n", "1", "-o", "a.png"),
    ],
    ids=" ".join,
)
def test_commands_work_without_a_home(tiny_model, tmp_path, command):
    typed = [str(tiny_model) if each == "MODEL" else each for each in command]
    done = run(*typed, program=[sys.executable, "-c", NO_HOME], cwd=tmp_path)
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    "command",
    [
        ("plugins", "disable", "latelier-fine"),
        ("generate", "a cat", "--init-image", "~/a.png"),
        ("generate", "a cat", "--condition", "class_label=@~/a.json"),
        ("generate", "a cat", "-m", "~/model"),
        ("generate", "a cat", "--schedule", "@~/a.json"),
        ("models", "show", "~/model"),
    ],
    ids=" ".join,
)
def test_a_missing_home_causes_no_traceback(tmp_path, install, command):
    install("latelier-fine", PRINTS.replace("print", "str"))
    done = run(*command, program=[sys.executable, "-c", NO_HOME], cwd=tmp_path)
    assert (done.returncode, done.stdout) in ((2, ""), (0, "latelier-fine:main: disabled\n")), done
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("interruptible")
class TestInterrupts:
    @pytest.mark.parametrize(
        "command",
        [
            ("generate", "a cat", "--steps", "1000", "--size", "512"),
            ("samplers", "compare", "--seeds", "4096"),
            ("data", "preview", "-n", "1024", "--size", "512"),
        ],
        ids=lambda command: " ".join(command[:2]),
    )
    def test_ctrl_c_ends_with_130_and_without_a_traceback(self, tmp_path, command):
        marker = "import sys; sys.stderr.write('started\\n'); sys.stderr.flush()\n"
        code = f"{marker}from latelier.cli.main import main; main()"
        with subprocess.Popen(
            [sys.executable, "-c", code, *command],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr.readline() == "started\n"
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(4)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (130, ""), err
        last = "interrupted; nothing written" if command[0] == "generate" else "interrupted"
        assert err.splitlines()[-1] == last
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("where", ["parse_args", "get_command", "format_commands"])
    def test_an_interrupt_outside_a_command_ends_with_130(self, cli, monkeypatch, where):
        def interrupt(*_, **__):
            raise KeyboardInterrupt

        from latelier.cli.support.lazy import LazyGroup

        monkeypatch.setattr(LazyGroup, where, interrupt)
        arguments = ("--help",) if where == "format_commands" else ("models", "list")
        done = cli(*arguments)
        assert (done.status, done.out) == (130, "")
        assert "Traceback" not in done.err
