"""As people have it: installed from its own pyproject.toml, found by its entry point."""

import json
import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1]

DESCRIBED = """
import json, sys, latelier, latelier_addons
from pathlib import Path

atelier = latelier.default_atelier()
report = next(each for each in atelier.plugins if each.distribution == "latelier-addons")
print(json.dumps({
    "state": report.state,
    "typed": Path(latelier_addons.__file__).with_name("py.typed").exists(),
    "heavy": sorted({"torch", "kornia"} & sys.modules.keys()),
}))
"""


def test_it_is_found_without_torch(tmp_path):
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--upgrade"]
    pip = [sys.executable, "-m", "pip", "install", *options, "--target", tmp_path, SOURCE]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1"}
    python = [sys.executable, "-c", DESCRIBED]
    done = subprocess.run(python, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"state": "ok", "typed": True, "heavy": []}
