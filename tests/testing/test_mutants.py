"""Each faulty plugin fails exactly one check, the one written against its fault.

The mutants are installed as distributions, and one pytest process runs the kit over them all, as
their authors would.
"""

import importlib.util
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

MUTANTS = Path(__file__).parent / "mutants"
DISTRIBUTIONS = {
    "latelier-mutants": "latelier_mutants.plugin:plugin",
    "latelier-torch-mutant": "latelier_torch_mutant:plugin",
}


def read_expected() -> dict[str, str | None]:
    """Return the check that each plugin must fail; None for a faultless one."""
    caught_by: dict[str, str | None] = {}
    for file in sorted(MUTANTS.glob("check_*.py")):
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert not caught_by.keys() & module.CAUGHT_BY.keys()
        caught_by |= module.CAUGHT_BY
    return caught_by


CAUGHT_BY = read_expected()


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory) -> dict[str, dict[str, str]]:
    """Return what became of every check, by plugin: passed, or the message of its failure."""
    site = tmp_path_factory.mktemp("site")
    for name, entry in DISTRIBUTIONS.items():
        info = site / f"{name.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[latelier.v1]\nmain = {entry}\n")
    report = site / "report.xml"
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "python_files=check_*.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, f"--junitxml={report}", str(MUTANTS)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, (site, MUTANTS))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(site),
        },
        cwd=site,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for case in ET.parse(report).iter("testcase"):
        plugin = case.get("classname").rpartition(".")[2].removeprefix("Test_")
        check = case.get("name").partition("[")[0]
        failed = [each.get("message") for each in case if each.tag in ("failure", "error")]
        found[plugin][check] = found[plugin].get(check, "") or "; ".join(failed)
    return found


def test_there_are_at_least_25_mutants() -> None:
    assert sum(check is not None for check in CAUGHT_BY.values()) >= 25


@pytest.mark.parametrize("plugin", CAUGHT_BY)
def test_exactly_the_expected_check_fails(plugin, outcomes) -> None:
    checks = outcomes[plugin]
    failed = {check: text for check, text in checks.items() if text}
    expected_check = CAUGHT_BY[plugin]
    assert failed.keys() == ({expected_check} if expected_check else set()), failed


def test_every_check_has_a_mutant(outcomes) -> None:
    """Except the check that only reports."""
    checks = {check for each in outcomes.values() for check in each}
    assert checks - {*CAUGHT_BY.values(), "test_report_its_cost"} == set()
