"""As people have it: installed from its own pyproject.toml, found by its entry point."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The environment of a process in which latelier-transformers is installed."""
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--upgrade"]
    pip = [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(SOURCE)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**os.environ, "PYTHONPATH": str(target), "OMP_NUM_THREADS": "1"}


def run(environment, code):
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


DESCRIBED = """
import json, sys, latelier, latelier_transformers
from pathlib import Path
from latelier.contracts.inputs import read_input

atelier = latelier.default_atelier()
report = next(each for each in atelier.plugins if each.distribution == "latelier-transformers")
registry = latelier.conditioners
print(json.dumps({
    "state": report.state,
    "components": report.components,
    "widths": [
        registry.validate_config("clip_text", {}).outputs().stream,
        registry.validate_config(
            "t5_text", {"d_model": 8, "d_ff": 8, "num_layers": 1, "num_heads": 1}
        ).outputs().stream,
    ],
    "schema": registry.input_schema("clip_text"),
    "read": read_input(registry.input_class("t5_text"), " a cat ", "prompt").text,
    "typed": Path(latelier_transformers.__file__).with_name("py.typed").exists(),
    "heavy": sorted({"torch", "transformers", "sentencepiece"} & sys.modules.keys()),
}))
"""


def test_it_is_described_and_validated_without_torch(installed):
    report = run(installed, DESCRIBED)
    assert report["state"] == "ok"
    assert report["components"] == [
        "conditioner:latelier-transformers/clip_text",
        "conditioner:latelier-transformers/clip_pair_text",
        "conditioner:latelier-transformers/t5_text",
        "adapter_kind:latelier-transformers/textual_inversion",
        "feature_network:latelier-transformers/clip",
        "feature_network:latelier-transformers/dinov2",
        "measure:latelier-transformers/clip_score",
    ]
    assert report["widths"] == [768, 8]
    assert report["schema"]["required"] == ["text"]
    assert report["read"] == "a cat"
    assert report["typed"]
    assert report["heavy"] == []


TOKENIZED = """
import json
from latelier_transformers.clip_text.published_vocabulary import published_vocabulary

print(json.dumps(published_vocabulary().encode("a cat")))
"""


def test_the_wheel_has_the_published_vocabulary(installed):
    assert run(installed, TOKENIZED) == [320, 2368]


MISSING = """
import json, sys
sys.modules["transformers"] = None  # what makes an import of it fail
import latelier

faults = []
for name, config in (
    ("clip_text", {}),
    ("t5_text", {"d_model": 8, "d_ff": 8, "num_layers": 1, "num_heads": 1}),
):
    try:
        latelier.conditioners.build(name, config)
    except latelier.LatelierError as error:
        faults.append(str(error))
print(json.dumps(faults))
"""


def test_without_transformers_the_error_names_the_pip_command(installed):
    faults = run(installed, MISSING)
    assert len(faults) == 2
    assert all("pip install 'transformers>=5.6'" in fault for fault in faults)
