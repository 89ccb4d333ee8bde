from pathlib import Path
from typing import Any

import pytest

from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.evaluation.protocol.config import EvaluationConfig, read_evaluation, to_yaml


def configure(**fields: Any) -> EvaluationConfig:
    values = {"out": "run", "task": "text", "model": "emoji-scenes", "measures": ["psnr"], **fields}
    return validate(EvaluationConfig, values, "test")


def write(folder: Path, text: str) -> Path:
    path = folder / "protocol.yaml"
    path.write_text(text)
    return path


def test_names_stand_for_choices_with_their_defaults():
    config = configure(network="scenes", adapters=["palette"], published="table-02")

    assert config.task.kind == "text"
    assert config.measures[0].id == "psnr"
    assert config.network is not None
    assert config.network.id == "scenes"
    assert config.adapters[0].scale == 1
    assert config.published == ("table-02",)


def test_a_path_stands_for_a_stored_reference():
    config = configure(reference="coco.safetensors")

    assert config.reference is not None
    assert config.reference.path == Path("coco.safetensors")


def test_a_configuration_is_the_same_after_it_was_written(tmp_path):
    config = configure(
        task={"kind": "inpainting", "masks": "boxes"},
        data={"path": "pictures", "size": 64},
        reference={"pictures": 100},
        measures=[{"id": "precision_recall", "config": {"neighbors": 5}}],
    )

    assert read_evaluation(write(tmp_path, to_yaml(config))) == config


def test_changes_replace_fields_by_their_dotted_paths(tmp_path):
    path = write(tmp_path, "{out: run, task: text, model: emoji-scenes, generate: {steps: 20}}")

    config = read_evaluation(path, {"generate.steps": 5, "data.size": 64, "out": "elsewhere"})

    assert config.generate == {"steps": 5}
    assert config.data.size == 64
    assert config.out == Path("elsewhere")


def test_a_change_below_a_short_form_is_an_error(tmp_path):
    path = write(tmp_path, "{out: run, task: text, model: emoji-scenes}")

    with pytest.raises(InvalidConfigError, match=r"task\.kind: 'task' is no mapping"):
        read_evaluation(path, {"task.kind": "class"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model": None}, "model: the task 'text' needs one"),
        ({"task": "originals"}, "model, adapters and generate are not for the task 'originals'"),
        ({"data": {"url": "https://host/a.tar"}}, "download the shards"),
        ({"task": "txt"}, "there is no kind 'txt'"),
        ({"measure": ["psnr"]}, "there is no field 'measure'"),
        ({"reference": {"path": "a", "pictures": 5}}, "not for path"),
        ({"task": {"kind": "inpainting", "share": [0.2, 0.2]}}, "a range of at least 0.05"),
        ({"pictures": 0}, "'pictures'"),
    ],
)
def test_an_impossible_value_is_an_error(fields, message):
    with pytest.raises(InvalidConfigError, match=message):
        configure(**fields)


def test_a_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(InvalidConfigError, match="not found"):
        read_evaluation(tmp_path / "missing.yaml")
