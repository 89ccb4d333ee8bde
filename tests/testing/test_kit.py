"""The kit itself: what it needs, what it imports, what it shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import latelier.testing
from latelier.contracts.inputs import Box
from latelier.testing import ConditionerContract
from latelier.testing.support.audit import watch
from latelier.testing.support.boxes import box, find_boxes, replace_boxes
from latelier_conditioners.layout.inputs import Layout

AS_PUBLISHED = """
from latelier.testing import ConditionerContract

class TestClassLabel(ConditionerContract):
    component = "class_label"
    config = {"num_classes": 3, "width": 4}
    inputs = [0, 2]
    bad_inputs = [3]
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_contract_has_an_example():
    for name in latelier.testing.__all__:
        contract = getattr(latelier.testing, name)
        assert f"from latelier.testing import {name}" in contract.__doc__


def test_a_missing_pytest_is_one_clear_error(tmp_path):
    (tmp_path / "pytest.py").write_text("raise ModuleNotFoundError(\"No module named 'pytest'\")")
    done = python("-c", "import latelier.testing", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("latelier.testing needs pytest: pip install 'latelier[testing]'")
    assert "During handling" not in done.stderr


def test_the_plugin_imports_nothing_heavy():
    code = "import sys, latelier.testing.plugin; print(*sys.modules)"
    modules = set(python("-c", code).stdout.split())
    assert "latelier.testing.plugin" in modules
    assert not modules & {"torch", "pydantic", "numpy", "PIL", "latelier.kernel"}


def test_no_other_module_of_the_core_imports_the_kit():
    code = "import sys, latelier.cli.support.application, latelier.pipeline; print(*sys.modules)"
    assert not any(
        name.startswith("latelier.testing") for name in python("-c", code).stdout.split()
    )


def test_a_ten_line_file_runs_the_kit_and_reports_costs(tmp_path):
    (tmp_path / "test_published.py").write_text(AS_PUBLISHED)
    arguments = ["-p", "no:cacheprovider", "-q", str(tmp_path)]
    done = python("-m", "pytest", *arguments)
    assert done.returncode == 0, done.stdout
    assert "cost of latelier components" in done.stdout
    assert "latelier/class_label            16 parameters" in done.stdout


def test_a_failing_check_explains_the_rule_and_shows_values(tmp_path):
    text = AS_PUBLISHED.replace("bad_inputs = [3]", "bad_inputs = [2]").replace("[0, 2]", "[0, 0]")
    (tmp_path / "test_wrong.py").write_text(text)
    done = python("-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short", str(tmp_path))
    assert "2 failed" in done.stdout, done.stdout
    assert "inputs 0 and 1 give the same part" in done.stdout
    assert "it accepts the bad input 2" in done.stdout


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({}, "TestIt must define component and inputs"),
        ({"component": "a/b"}, "TestIt must define inputs"),
        (
            {"component": "a/b", "inputs": [1, 2], "bad_input": [3]},
            "TestIt.bad_input is unknown; did you mean 'bad_inputs'?",
        ),
    ],
)
def test_an_incomplete_contract_is_an_error_at_import(attributes, message):
    with pytest.raises(TypeError) as fault:
        type("TestIt", (ConditionerContract,), attributes)
    assert str(fault.value) == message


def test_a_test_class_may_have_other_attributes():
    own = {"component": "a/b", "inputs": [1, 2], "palette": 3, "test_more": None}
    assert type("TestIt", (ConditionerContract,), own).palette == 3


class TestBoxes:
    LAYOUT = Layout.model_validate({"objects": [{"label": 1, "box": [0, 0, 0.5, 0.5]}]})

    def test_boxes_are_found_at_any_depth(self):
        assert list(find_boxes(self.LAYOUT)) == [box(0, 0, 0.5, 0.5)]

    def test_replacing_boxes_returns_a_new_value(self):
        moved = replace_boxes(self.LAYOUT, box(0.5, 0, 1, 1))
        assert list(find_boxes(moved)) == [Box(x0=0.5, y0=0, x1=1, y1=1)]
        assert list(find_boxes(self.LAYOUT)) == [box(0, 0, 0.5, 0.5)]


class TestAudit:
    def test_writing_in_the_folder_is_allowed(self, tmp_path):
        with watch(tmp_path) as activity:
            (tmp_path / "a.txt").write_text("a")
            (tmp_path / "b").mkdir()
        assert activity.writes == []

    @pytest.mark.parametrize("deed", ["write", "mkdir", "rename", "remove"])
    def test_writing_elsewhere_is_recorded(self, tmp_path, deed):
        folder, other = tmp_path / "folder", tmp_path / "other"
        folder.mkdir()
        other.write_text("a")
        with watch(folder) as activity:
            if deed == "write":
                other.write_text("b")
            elif deed == "mkdir":
                (tmp_path / "new").mkdir()
            elif deed == "rename":
                other.rename(tmp_path / "moved")
            else:
                other.unlink()
        assert activity.writes

    def test_reading_is_not_recorded(self, tmp_path):
        other = tmp_path / "other"
        other.write_text("a")
        with watch(tmp_path / "folder") as activity:
            assert Path(other).read_text() == "a"
        assert (activity.writes, activity.connections, activity.processes) == ([], [], [])

    def test_a_process_is_blocked_before_it_starts(self, tmp_path):
        with watch(tmp_path) as activity:
            subprocess.run([sys.executable, "-c", "open('made', 'w')"], cwd=tmp_path, check=True)
        assert len(activity.processes) == 1
        assert not (tmp_path / "made").exists()

    def test_recording_ends_with_the_block(self, tmp_path):
        with watch(tmp_path / "folder") as activity:
            pass
        (tmp_path / "a.txt").write_text("a")
        assert activity.writes == []
