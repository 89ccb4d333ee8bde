"""What importing and listing may import. Each check runs in a new process."""

import subprocess
import sys

import pytest

KERNEL = """
import importlib, pkgutil, latelier.kernel
for module in pkgutil.walk_packages(latelier.kernel.__path__, "latelier.kernel."):
    importlib.import_module(module.name)
"""
SCHEMAS = """
import latelier
from latelier.contracts.inputs import read_input

atelier = latelier.default_atelier()
for registry in (atelier.first_stages, atelier.denoisers, atelier.conditioners):
    for name in registry.names():
        assert registry.config_schema(name)["properties"]
for name in latelier.conditioners.names():
    assert latelier.conditioners.input_schema(name)["properties"]
assert latelier.conditioners.input_schema("text")["required"] == ["text"]
assert read_input(latelier.conditioners.input_class("text"), "a cat", "prompt").text == "a cat"
assert "dpmpp_2m" in latelier.samplers.names() and "karras" in latelier.schedules.names()
"""


def modules_after(code: str) -> set[str]:
    """Return the names in sys.modules after `code`."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_the_package_is_light():
    modules = modules_after("import latelier; latelier.__version__; dir(latelier)")
    assert not modules & {"torch", "pydantic", "pluggy", "numpy", "PIL"}
    assert {each for each in modules if each.startswith("latelier")} == {
        "latelier",
        "latelier._version",
    }


@pytest.mark.parametrize(
    "name",
    [
        "kernel.trust.discovery",
        "kernel.trust.policy",
        "contracts.errors",
        "kernel.spec",
        "contracts.configs",
    ],
)
def test_metadata_and_errors_need_no_torch(name):
    modules = modules_after(f"import latelier.{name}")
    assert not modules & {"torch", "pluggy", "numpy", "PIL"}


def test_listing_plugins_needs_neither_pydantic_nor_hashes():
    modules = modules_after(
        "from latelier.kernel.trust.discovery import discover\n"
        "from latelier.kernel.trust.admission import admit, read_lock_in_force\n"
        "from latelier.kernel.trust.config_file import read_policy\n"
        "policy = read_policy()\n"
        "[admit(each, policy, read_lock_in_force(policy)) for each in discover()]"
    )
    assert not modules & {"torch", "pluggy", "pydantic", "hashlib", "tomlkit"}
    assert not any(each.endswith("_plugin") for each in modules)


def test_the_kernel_imports_no_other_layer_and_no_torch():
    modules = modules_after(KERNEL)
    ours = {each for each in modules if each.partition(".")[0].startswith("latelier")}
    below = ("latelier.kernel", "latelier.contracts", "latelier.io")
    assert {each for each in ours if not each.startswith(below)} == {
        "latelier",
        "latelier._version",
    }
    assert "torch" not in modules


def test_schemas_forms_and_validation_need_no_torch():
    assert "torch" not in modules_after(SCHEMAS)
