"""A host with twenty plugins, eight of them broken in different ways.

They are installed distributions, on the path of processes of their own. Two of the eight cannot be
survived in the process that imports them: doctor finds them, and `disable` gets the host running.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

HEALTHY = """
from itertools import pairwise
from latelier import Step, hookimpl

class Plugin:
    @hookimpl
    def latelier_register(self, registrar):
        registrar.sampler("{name}", factory=f"{{__name__}}:stride")

    @hookimpl
    def latelier_after_step(self, step, sigma): ...

def stride(denoise, x, grid, /, *, noise):
    for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
        denoised = denoise(x, sigma)
        x = denoised + (x - denoised) * (to / sigma)
        yield Step(index, to, x, denoised)

plugin = Plugin()
"""


@dataclass(frozen=True)
class Broken:
    code: str
    state: str
    cause: str
    group: str = "latelier.v1"
    left_out: bool = True


BROKEN = {
    "raises": Broken("1 / 0", "import_error", "ZeroDivisionError: division by zero"),
    "exits": Broken("import sys; sys.exit(4)", "import_error", "SystemExit: 4"),
    "vanishes": Broken("import os; os._exit(3)", "crashed", "exited with status 3"),
    "endless": Broken(
        "import sys, time\nprint('still here', file=sys.stderr, flush=True)\n"
        "while True: time.sleep(0.01)",
        "timed_out",
        "not imported after",
    ),
    "half": Broken(
        HEALTHY.format(name="half").replace(':stride")', ':stride"); raise KeyError("no more")'),
        "registration_error",
        "KeyError: 'no more'",
    ),
    "collides": Broken(
        HEALTHY.format(name="stride_0"),
        "collision",
        "'sampler.stride_0' is claimed by latelier-collides/stride_0 and latelier-fine-0/stride_0",
        left_out=False,
    ),
    "future": Broken(
        HEALTHY.format(name="future"),
        "incompatible_api",
        "requires the plugin API 'latelier.v2', this latelier offers 'latelier.v1'",
        group="latelier.v2",
    ),
    "misspelt": Broken(
        HEALTHY.format(name="misspelt").replace("latelier_after_step", "latelier_after_stp"),
        "invalid_hook",
        "there is no hook 'latelier_after_stp'. Did you mean 'latelier_after_step'?",
    ),
}
DEADLY = ("vanishes", "endless")


@dataclass(frozen=True)
class Host:
    environment: dict[str, str]

    def started(self, *arguments):
        command = [sys.executable, "-m", "latelier_cli_entry", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=self.environment, text=True, **pipes)

    def run(self, *arguments):
        process = self.started(*arguments)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def publish(site, name, code, group="latelier.v1"):
    module = name.replace("-", "_")
    (site / f"{module}.py").write_text(code)
    info = site / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: latelier>=0.1\n"
    )
    (info / "entry_points.txt").write_text(f"[{group}]\nmain = {module}:plugin\n")
    (info / "RECORD").write_text(f"{module}.py,,\n{info.name}/RECORD,,\n")


@pytest.fixture
def host(tmp_path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "latelier_cli_entry.py").write_text("from latelier.cli.main import main\nmain()\n")
    for k in range(12):
        publish(site, f"latelier-fine-{k}", HEALTHY.format(name=f"stride_{k}"))
    for name, broken in BROKEN.items():
        publish(site, f"latelier-{name}", broken.code, broken.group)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LATELIER_")}
    return Host(
        {
            **kept,
            "PYTHONPATH": str(site),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "OMP_NUM_THREADS": "1",
        }
    )


@pytest.mark.usefixtures("interruptible")
def test_broken_plugins_are_listed_examined_and_disabled_and_the_host_makes_pictures(
    host, tiny_model, tmp_path
):
    rows = json.loads(host.run("plugins", "list", "--json").stdout)
    assert len([row for row in rows if row["distribution"] != "latelier"]) == 20

    # the two that cannot be survived: one never ends, until an interrupt says who that is ...
    process = host.started("generate", "--help")
    assert process.stderr.readline() == "still here\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted while plugin 'latelier-endless:main' was imported" in err
    # ... and one ends the host, without a word of why
    assert host.run("plugins", "disable", "latelier-endless").returncode == 0
    assert host.run("generate", "--help").returncode == 3
    assert host.run("plugins", "enable", "latelier-endless").returncode == 0

    done = host.run("plugins", "doctor", "--timeout", "8", "--json")
    assert done.returncode == 2
    found = {row["distribution"]: row for row in json.loads(done.stdout)}
    for name, broken in BROKEN.items():
        row = found[f"latelier-{name}"]
        assert row["state"] == broken.state
        assert broken.cause in row["cause"]
        assert row["fix"]
    for name in DEADLY:
        id_ = found[f"latelier-{name}"]["id"]
        assert f"`latelier plugins disable {id_}`" in found[f"latelier-{name}"]["fix"]
        assert host.run("plugins", "disable", id_).returncode == 0
    states = {k: found[f"latelier-fine-{k}"]["state"] for k in range(12)}
    assert states == {0: "collision", **dict.fromkeys(range(1, 12), "ok")}

    # the host runs, names each broken one with its cause, and works with the healthy ones
    output = tmp_path / "a.png"
    options = ("-m", tiny_model, "--seed", 5, "--sampler", "stride_7", "-o", output)
    done = host.run("generate", "a cat", *options)
    assert done.returncode == 0, done.stderr
    for name, broken in BROKEN.items():
        message = f"plugin 'latelier-{name}:main' is not loaded ({broken.state}): {broken.cause}"
        assert (message in done.stderr) == (broken.left_out and name not in DEADLY)
    assert made_by(output) == {
        "parts": ["sampler"],
        **{f"latelier-fine-{k}": ["latelier_after_step"] for k in range(12)},
        "latelier-collides": ["latelier_after_step"],
    }
    ambiguous = host.run("generate", "a cat", "-m", tiny_model, "--sampler", "stride_0")
    assert ambiguous.returncode == 2
    assert "use 'latelier-collides/stride_0' or 'latelier-fine-0/stride_0'" in ambiguous.stderr
    assert host.run("replay", output).stdout == "identical\n"


def made_by(picture: Path) -> dict[str, list[str]]:
    """Return the parts that stride_7's plugin made, and the hooks of each plugin."""
    from latelier.provenance.image_files import read_provenance

    plugins = read_provenance(picture)[1]["plugins"]
    hooks = {name: plugin["hooks"] for name, plugin in plugins.items()}
    return {"parts": plugins["latelier-fine-7"]["parts"], **hooks}
