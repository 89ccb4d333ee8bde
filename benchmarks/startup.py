"""Measure the start-up time of the command line with 20 installed plugins.

The plugins are distributions in a temporary folder on PYTHONPATH; each registers a conditioner and
a sampler, and implements a hook for sampling steps. Each command runs twice to fill the page cache,
then --runs times, in turn with the others. `imports` names those of the watched packages that a
command imports. With --lock a lock is in force, so that every plugin is hashed.

Bytecode is written and used, as in an installation, whatever PYTHONDONTWRITEBYTECODE says: without
it a command takes about a tenth longer, and more with longer docstrings.

python benchmarks/startup.py
python benchmarks/startup.py --lock
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

COMMANDS = {"--help": 250, "plugins list": 300, "generate --help": 600}
"""Command -> target, in ms."""

WATCHED = ("torch", "numpy", "pydantic", "pluggy", "rich")

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plugins", type=int, default=20)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--lock", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for k in range(arguments.plugins):
            write_plugin(Path(folder), k)
        environment = {**os.environ, "PYTHONPATH": folder}
        environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": f"{folder}/bytecode"}
        if arguments.lock:
            lock = str(Path(folder) / "latelier.lock")
            run(f"plugins lock --output {lock}", environment)
            environment["LATELIER_LOCK"] = lock
        rows = measure(arguments.runs, environment)
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    plugins = f"{arguments.plugins} {'locked ' if arguments.lock else ''}plugins"
    print(f"{plugins}, {arguments.runs} runs, load {os.getloadavg()[0]:.1f}")
    for command, row in rows.items():
        print(
            f"latelier {command:16} median {row['median_ms']:4.0f} ms (target {row['target_ms']}), "
            f"least {row['least_ms']:4.0f}, processor time {row['processor_ms']:4.0f}; "
            f"imports {', '.join(row['imports']) or 'no watched package'}"
        )


def write_plugin(folder: Path, k: int) -> None:
    (folder / f"latelier_dummy_{k}.py").write_text(MODULE.replace("{k}", str(k)))
    info = folder / f"latelier_dummy_{k}-1.0.dist-info"
    info.mkdir()
    head = f"Metadata-Version: 2.1\nName: latelier-dummy-{k}\nVersion: 1.0\n"
    (info / "METADATA").write_text(f"{head}Requires-Dist: latelier>=0.1\n")
    (info / "entry_points.txt").write_text(f"[latelier.v1]\nmain = latelier_dummy_{k}:plugin\n")
    (info / "RECORD").write_text(f"latelier_dummy_{k}.py,,\n{info.name}/RECORD,,\n")


def measure(runs: int, environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    walls: dict[str, list[float]] = {command: [] for command in COMMANDS}
    processor: dict[str, list[float]] = {command: [] for command in COMMANDS}
    imports = {command: find_imports(command, environment) for command in COMMANDS}
    for command in [*COMMANDS, *COMMANDS]:
        run(command, environment)
    for _ in range(runs):
        for command in COMMANDS:
            wall, used = run(command, environment)
            walls[command].append(wall)
            processor[command].append(used)
    return {
        command: {
            "median_ms": 1000 * statistics.median(walls[command]),
            "least_ms": 1000 * min(walls[command]),
            "processor_ms": 1000 * statistics.median(processor[command]),
            "target_ms": target,
            "imports": imports[command],
        }
        for command, target in COMMANDS.items()
    }


def run(command: str, environment: dict[str, str]) -> tuple[float, float]:
    """Run a command and return its wall and processor time in seconds."""
    before, start = processor_time(), time.perf_counter()
    program = Path(sys.executable).with_name("latelier")
    subprocess.run([program, *command.split()], env=environment, check=True, capture_output=True)
    return time.perf_counter() - start, processor_time() - before


def processor_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def find_imports(command: str, environment: dict[str, str]) -> list[str]:
    code = (
        "import sys\nfrom latelier.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "finally:\n    print(*(name for name in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.split()],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    modules = set(done.stderr.split())
    return [name for name in WATCHED if name in modules]


if __name__ == "__main__":
    main()
