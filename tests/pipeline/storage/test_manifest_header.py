"""A manifest is read without torch, and the errors name what is wrong with it."""

import json
import subprocess
import sys

import pytest

from latelier.checkpoints.manifests import ADAPTER_FILE, COMPONENT_FILE
from latelier.contracts.errors import ModelFileError
from latelier.pipeline.storage.manifest_header import MANIFEST, read_manifest_header

STORED = {"id": "latelier/unet", "version": "0", "config": {}}
LEAST = {
    "latelier": "0",
    "first_stage": STORED,
    "denoiser": STORED,
    "process": {"kind": "vp"},
    "defaults": {"size": 64},
}


def test_reading_a_header_and_finding_a_model_import_no_torch():
    code = (
        "import sys, latelier.pipeline.storage.manifest_header, latelier.pipeline.storage.sources, "
        "latelier.checkpoints.io.header, latelier.checkpoints.io.verification; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_minimal_manifest_is_read(tmp_path):
    (tmp_path / MANIFEST).write_text(json.dumps(LEAST))
    outline = read_manifest_header(tmp_path)
    assert outline.defaults.size == (64, 64)
    assert list(outline.components()) == ["first_stage", "denoiser"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "expected a JSON object, got list"),
        (json.dumps({**LEAST, "defalts": {}}), "Did you mean 'defaults'"),
        (json.dumps({**LEAST, "format": 2}), "'format'"),
        (json.dumps({"latelier": "0"}), "the field 'first_stage' is required"),
    ],
)
def test_an_invalid_manifest_is_an_error(tmp_path, text, message):
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ModelFileError, match=message):
        read_manifest_header(tmp_path)


@pytest.mark.parametrize(
    ("file", "what"),
    [
        (COMPONENT_FILE, "a single component"),
        (ADAPTER_FILE, "an adapter: --adapter"),
        ("model_index.json", "one of diffusers: `latelier import"),
    ],
)
def test_a_component_folder_is_not_a_model(file, what, tmp_path):
    (tmp_path / file).write_text("{}")
    with pytest.raises(ModelFileError, match=f"expected a model, found {what}"):
        read_manifest_header(tmp_path)
