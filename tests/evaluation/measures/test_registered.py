import subprocess
import sys

from latelier.kernel.atelier import Atelier

_WITHOUT_TORCH = """
import importlib, sys
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
for spec in Atelier(policy=Policy(allow=frozenset())).measures.specs():
    importlib.import_module(spec.config.partition(":")[0])
assert "torch" not in sys.modules
"""


def test_all_measures_are_made_by_their_names(built_ins: Atelier) -> None:
    for spec in built_ins.measures.specs():
        if spec.name != "lpips":  # its weights are files
            assert built_ins.measures.build(spec.name, {}).needs, spec.name


def test_their_configurations_import_no_torch() -> None:
    subprocess.run([sys.executable, "-c", _WITHOUT_TORCH], check=True)
