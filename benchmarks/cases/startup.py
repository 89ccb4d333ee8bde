"""The start-up of the command line with 20 installed plugins.

The plugins are distributions in a temporary folder on PYTHONPATH; each registers a conditioner and
a sampler, and implements a hook. With a lock every plugin is hashed.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness.case import Case, Setup, Variant
from benchmarks.harness.goal import Goal, value
from benchmarks.harness.processes import run_python, with_bytecode
from benchmarks.harness.timing import timed

PLUGINS = 20
GOALS = {"--help": 0.25, "plugins list": 0.3, "generate --help": 0.6}
"""Command -> seconds."""

MODULE = """
import latelier


class Plugin:
    @latelier.hookimpl
    def latelier_register(self, registrar):
        registrar.conditioner(
            "palette_{k}",
            factory="latelier_dummy_{k}_inputs:Conditioner",
            config="latelier_dummy_{k}_inputs:Config",
            input="latelier_dummy_{k}_inputs:Palette",
        )
        registrar.sampler("leap_{k}", factory="latelier_dummy_{k}_inputs:leap")

    @latelier.hookimpl
    def latelier_after_step(self, step, sigma):
        pass


plugin = Plugin()
"""


def variants(setup: Setup, /) -> Mapping[str, Variant]:
    """Return the commands, and the list of plugins with a lock in force."""
    folder = Path(setup.stack.enter_context(TemporaryDirectory(prefix="benchmarks-")))
    for k in range(PLUGINS):
        write_plugin(folder, k)
    environment = {**with_bytecode(folder), "PYTHONPATH": str(folder)}
    lock = str(folder / "latelier.lock")
    run_python(["-m", "latelier", "plugins", "lock", "--output", lock], environment)
    locked = {**environment, "LATELIER_LOCK": lock}
    return {
        **{command: run_command(command, environment) for command in GOALS},
        "plugins list, locked": run_command("plugins list", locked),
    }


def run_command(command: str, environment: Mapping[str, str]) -> Variant:
    """Return the variant that runs a command."""
    return timed(lambda: run_python(["-m", "latelier", *command.split()], environment))


def write_plugin(folder: Path, k: int) -> None:
    """Write an installed distribution."""
    (folder / f"latelier_dummy_{k}.py").write_text(MODULE.replace("{k}", str(k)))
    info = folder / f"latelier_dummy_{k}-1.0.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: latelier-dummy-{k}\nVersion: 1.0\n"
    (info / "METADATA").write_text(f"{head}Requires-Dist: latelier>=0.1\n")
    (info / "entry_points.txt").write_text(f"[latelier.v1]\nmain = latelier_dummy_{k}:plugin\n")
    (info / "RECORD").write_text(f"latelier_dummy_{k}.py,,\n{info.name}/RECORD,,\n")


STARTUP = Case(
    "startup",
    f"Start of the command line with {PLUGINS} plugins",
    variants,
    tuple(Goal(f"latelier {name}", value(name), at_most=s, unit="s") for name, s in GOALS.items()),
    rounds=15,
)
