"""The planned embedded model: trained at a reduced size, then given every subset of its inputs."""

from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw

from latelier import Pipeline, default_atelier, load
from latelier.contracts.components import PictureGeometry
from latelier.contracts.frozen import validate
from latelier.data.emoji_scenes.scene import SEMANTIC_CLASSES
from latelier.evaluation.scene_model.conditions import CONDITIONS
from latelier.training.conditional_decoder.train import train_conditional_decoder
from latelier.training.configs.conditional_decoder import ConditionalDecoderTraining
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.training import read_training
from latelier.training.denoiser.train import train_denoiser

CONFIG = Path(__file__).parents[3] / "configs" / "scenes" / "denoiser.yaml"
DECODER = CONFIG.with_name("conditional-decoder.yaml")
PICTURE = Image.new("RGB", (64, 64), "teal")
HOLE = np.zeros((64, 64), bool)
HOLE[8:40, 16:48] = True
INPUTS: dict[str, Any] = {
    "prompt": {"prompt": "#1 in a meadow"},
    "reference": {"reference": {"pictures": ["cat"], "boxes": [[0.2, 0.1, 0.9, 0.8]]}},
    "layout": {"layout": [{"label": "#1", "box": [0.1, 0.2, 0.8, 0.9]}]},
    "semantic_map": {"semantic_map": np.eye(64, dtype=np.uint8) * 6},
    "mask": {"init_image": PICTURE, "mask": HOLE},
    "low_resolution": {"low_resolution": PICTURE.resize((16, 16))},
}
SUBSETS = list(chain.from_iterable(combinations(INPUTS, k) for k in range(len(INPUTS) + 1)))


def small(out: Path) -> dict[str, Any]:
    """Return the fields of the configuration for 64 pixels, the embedded first stage, few steps."""
    fields = yaml.safe_load(CONFIG.read_text())
    del fields["first_stage"]
    fields["data"]["config"] |= {"size": 64, "empty": 0.25}
    del fields["data"]["cache"]
    fields["data"]["length"] = 400
    fields["denoiser"]["config"] |= {
        "in_channels": 6, "out_channels": 6, "model_channels": 16, "num_groups": 4,
        "hidden_size": 32, "depth": 2, "num_heads": 2, "context_dim": 32,
        "streams": {
            "text": {"width": 32},
            "layout": {"width": 32},
        },
        "spatial": {"collage": 19, "semantic_map": 12, "mask": 7, "low_resolution": 3},
    }  # fmt: skip
    changes: dict[str, Any] = {
        "text": {"width": 32, "layers": 1, "vocab_size": 600},
        "collage": {"latent_channels": 6},
        "layout": {"width": 32, "layers": 1},
        "semantic_map": {"n_stages": 2},
        "mask": {"latent_channels": 6},
        "low_resolution": {"patch": 1},
    }
    fields["defaults"]["steps"] = 1
    for name, change in changes.items():
        fields["conditioners"][name]["config"] |= change
    return {
        **fields, "out": str(out), "steps": 3, "batch_size": 4, "precision": "32-true",
        "fit_samples": 300, "sheet_every": 3, "sheet_weights": ["raw"], "keep_one": 0.3,
        "drop_all": 0.2, "workers": 0, "validation": {"samples": 2, "levels": [0.5]},
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    out: Path = tmp_path_factory.mktemp("embedded")
    train_denoiser(validate(DenoiserTraining, small(out), "small"))
    return out


@pytest.fixture(scope="module")
def trained(run: Path) -> Pipeline:
    model = load(run / "result", device="cpu")
    random = torch.Generator().manual_seed(0)
    for weight in model.denoiser.parameters():  # layers that begin at 0 are near it after 3 steps
        weight.data = weight + 0.1 * torch.randn(weight.shape, generator=random)
    return model


def merge(names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for name in names for key, value in INPUTS[name].items()}


def draw(model: Pipeline, **inputs: Any) -> Any:
    return model.generate(**inputs, size=64, seed=3)[0]


def geometry(model: Pipeline) -> PictureGeometry:
    return PictureGeometry((64, 64), (16, 16), first_stage=model.first_stage)


def test_the_labels_of_maps_are_those_of_the_scenes() -> None:
    choice = read_training(CONFIG, DenoiserTraining).conditioners["semantic_map"]
    groups = [name.replace("&", "and").lower() for name in SEMANTIC_CLASSES]
    assert choice.config["names"] == groups


def test_all_weights_take_at_most_40_mib_in_16_bits() -> None:
    stages = (CONFIG, CONFIG.with_name("first-stage.yaml"), DECODER)
    denoiser, first_stage, decoder = (yaml.safe_load(path.read_text()) for path in stages)
    first_stage["first_stage"]["config"]["conditional_decoder"] = decoder["conditional_decoder"]
    components = [
        ("denoiser", denoiser["denoiser"]),
        ("first_stage", first_stage["first_stage"]),
        *(("conditioner", each) for each in denoiser["conditioners"].values()),
    ]
    with torch.device("meta"):
        modules = [
            default_atelier().registries[kind].build(each["id"], each["config"])
            for kind, each in components
        ]
    weights = sum(weight.numel() for module in modules for weight in module.parameters())
    assert 2 * weights <= 40 * 2**20


def test_every_scene_is_trained_on_also_those_without_objects(run: Path) -> None:
    report = run / "data-report.jsonl"
    assert not report.exists(), report.read_text()


def test_its_inputs_have_their_names_and_slots(trained: Pipeline) -> None:
    assert set(trained.inputs) == set(INPUTS) - {"mask"}
    assert {name for each in CONDITIONS.values() for name in each.needs} <= set(trained.inputs)
    assert tuple(trained.conditioners["layout"].vocabulary()) == ("#1", "#2", "#3")
    assert {"#1", "#2", "#3"} <= set(trained.conditioners["text"].vocabulary())
    assert trained.defaults.database == "latelier/emoji"


def test_every_subset_of_the_inputs_makes_another_picture(trained: Pipeline, caplog) -> None:
    pixels = {draw(trained, **merge(names)).image.tobytes() for names in SUBSETS}
    assert len(pixels) == len(SUBSETS)
    assert "missing here" not in caplog.text  # training dropped each of them


def test_missing_spatial_inputs_are_zero_and_so_is_a_mask_of_everything(trained: Pipeline) -> None:
    builder, frame = trained.condition_builder(), geometry(trained)
    absent = builder.condition({}, 1, frame).spatial
    assert absent.keys() == {"collage", "semantic_map", "mask", "low_resolution"}
    assert not any(part.any() for part in absent.values())
    whole = {"image": PICTURE, "mask": np.ones((64, 64), bool)}
    assert not trained.conditioners["mask"].encode([whole], frame).spatial.any()


def test_guidance_acts_on_the_map_and_leaves_known_pixels_in_both(trained: Pipeline) -> None:
    builder, frame = trained.condition_builder(), geometry(trained)
    rows = builder.read({"semantic_map": [INPUTS["semantic_map"]["semantic_map"]]})
    rows |= {"mask": [trained.conditioners["mask"].Input(image=PICTURE, mask=HOLE)]}
    both = builder.conditions(rows, {}, 1, frame)
    assert not both.negative.spatial["semantic_map"].any()
    assert torch.equal(both.negative.spatial["mask"], both.condition.spatial["mask"])


def test_a_panorama_has_all_inputs_but_the_mask(trained: Pipeline) -> None:
    wide = {
        **merge(("prompt", "reference", "layout")),
        "semantic_map": np.tile(np.eye(64, dtype=np.uint8) * 6, 2),
        "low_resolution": Image.new("RGB", (32, 16), "teal"),
    }
    (picture,) = trained.generate(**wide, size=(128, 64), window=64, seed=3)
    assert picture.image.size == (128, 64)


def test_names_of_the_database_and_a_drawing_of_ones_own_share_a_picture(trained: Pipeline) -> None:
    drawing = Image.new("RGBA", (40, 40))
    ImageDraw.Draw(drawing).ellipse((4, 8, 36, 30), fill="orange")
    picture = draw(trained, prompt="#1 to the left of a cat in a meadow", reference=drawing)
    assert [each["name"] for each in picture.provenance["drew"]] == [None, "cat"]
    boxes = [
        {"label": "owl", "box": [0, 0.3, 0.5, 1]},
        {"label": "cat", "box": [0.5, 0, 1, 0.6]},
    ]
    picture = draw(trained, layout=boxes)
    assert [each["name"] for each in picture.provenance["drew"]] == ["owl", "cat"]


def test_its_conditional_decoder_trains_and_takes_what_it_is_shown(run: Path, tmp_path) -> None:
    fields = yaml.safe_load(DECODER.read_text())
    fields["data"]["config"]["size"] = 64
    fields["conditional_decoder"] |= {"channels": 4, "blocks": 1}
    changes: dict[str, Any] = {
        "model": str(run / "result"), "out": str(tmp_path / "decoder"), "steps": 2, "workers": 0,
        "batch_size": 2, "precision": "32-true", "denoising_steps": 2, "validation_images": 4,
    }  # fmt: skip
    config = validate(ConditionalDecoderTraining, {**fields, **changes}, "small")
    assert train_conditional_decoder(config).finished
    model = load(config.out / "result", device="cpu", dtype="float32")
    gates = model.first_stage.conditional_decoder.conv_out.bias[12:].view(2, 4)
    gates[0], gates[1] = 100, -100
    drawing = Image.new("RGBA", (40, 40), "orange")
    reference = {"pictures": [drawing], "boxes": [[0.25, 0.25, 0.75, 0.75]]}
    picture = np.asarray(draw(model, prompt="#1 in a meadow", reference=reference).image)
    orange = np.abs(picture[24:40, 24:40] - np.array([255, 165, 0])).max()
    assert orange <= 40  # the residual of two steps is small, and so is its last layer
