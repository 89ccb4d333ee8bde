"""An adapter of a field of the user's own data."""

import json

import pytest
from PIL import Image

from latelier import default_atelier, load
from latelier.contracts.errors import InvalidConfigError
from latelier.training.adapter.train import plan_adapter, train_adapter
from latelier.training.configs.adapter import AdapterTraining

COLORS = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


@pytest.fixture
def manifest(tmp_path):
    """A manifest of 12 pictures of one colour each, with the colour and a caption."""
    folder = tmp_path / "colors"
    folder.mkdir()
    lines = [{"latelier_manifest": 1}]
    for number in range(12):
        color = COLORS[number % 3]
        Image.new("RGB", (20, 16), tuple(round(255 * c) for c in color)).save(
            folder / f"{number}.png"
        )
        lines.append(
            {
                "file": f"{number}.png",
                "captions": ["a red cat"],
                "class_label": number % 3,
                "fields": {"color": {"vectors": [color]}},
            }
        )
    path = folder / "manifest.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def model(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def configure(tmp_path, manifest, model):
    def make(**changes):
        values = {
            "out": tmp_path / "run",
            "model": str(model),
            "name": "color",
            "conditioner": {
                "id": "embedding",
                "source": "color",
                "config": {"width": 3, "max_vectors": 2},
            },
            "inputs": {"prompt": {"source": "prompt"}},
            "data": {"path": manifest, "size": 16},
            "validation": {"samples": 2},
            "steps": 2,
            "batch_size": 2,
            "accelerator": "cpu",
            **changes,
        }
        return AdapterTraining.model_validate(values)

    return make


def test_a_field_of_a_manifest_is_the_input_of_an_adapter(configure, model):
    config = configure()
    assert train_adapter(config).finished
    view = load(model, "cpu").with_adapter(config.out / "result")
    picture = view.generate(prompt="a red cat", color=COLORS[0], seed=0)[0]
    assert picture.image.size == (16, 16)
    assert (config.out / "sheets" / "step-00000002.png").exists()


def test_classes_of_a_manifest_are_an_input_too(configure, model):
    config = configure(
        name="kind",
        conditioner={
            "id": "class_label",
            "source": "class_label",
            "config": {"num_classes": 3, "width": 8, "slot": "stream"},
        },
    )
    assert train_adapter(config).finished
    view = load(model, "cpu").with_adapter(config.out / "result")
    assert view.generate(kind=2, seed=0)


def test_a_sample_without_the_field_is_replaced_and_reported(configure, manifest):
    lines = manifest.read_text().splitlines()
    spoiled = json.loads(lines[3])
    spoiled["fields"] = {"color": {"vectors": [[1.0, 2.0]]}}
    manifest.write_text("\n".join([*lines[:3], json.dumps(spoiled), *lines[4:]]))
    plan = plan_adapter(configure(steps=12), default_atelier())
    samples = [plan.dataset[k] for k in range(24)]
    assert all(len(sample["color"]["vectors"][0]) == 3 for sample in samples)


def test_a_field_that_no_sample_has_is_named(configure):
    config = configure(conditioner={**configure().conditioner.model_dump(), "source": "colour"})
    with pytest.raises(InvalidConfigError, match=r"no field 'colour'\. Did you mean 'color'"):
        train_adapter(config)
