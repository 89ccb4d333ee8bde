import json
import math
from pathlib import Path

import pytest
import torch

from latelier.contracts.errors import InvalidInputError, ModelFileError
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.classifier.accuracy import accuracy
from latelier.evaluation.classifier.augment import augment
from latelier.evaluation.labelled_scenes import LabelledScenes, render
from latelier.metrics.scene_classifier import (
    CLASSIFIER_WEIGHTS,
    SIDE,
    Prediction,
    SceneClassifier,
    load_classifier,
)
from latelier.metrics.small_network import save_network

CLASSIFIER = Path(__file__).parents[2] / "benchmarks" / "classifier"


@pytest.fixture(scope="module")
def classifier() -> SceneClassifier:
    return load_classifier(CLASSIFIER / CLASSIFIER_WEIGHTS)


@pytest.fixture(scope="module")
def held_out() -> LabelledScenes:
    return render(EmojiScenes(seed=9_000_001, length=200))


def test_a_prediction_has_a_row_for_each_picture(classifier: SceneClassifier) -> None:
    prediction = classifier(torch.zeros(3, 3, SIDE, SIDE))
    assert prediction.glyph.shape == (3, 512)
    assert prediction.kind.shape == (3, 6)
    assert prediction.color.shape == (3, 16)


def test_predictions_do_not_depend_on_the_batch(
    classifier: SceneClassifier, held_out: LabelledScenes
) -> None:
    images = held_out.images()[:10]
    together, apart = classifier.predict(images), classifier.predict(images, batch_size=3)
    for name in ("glyph", "kind", "color"):
        torch.testing.assert_close(
            getattr(apart, name), getattr(together, name), rtol=1e-4, atol=1e-4
        )


def test_the_committed_weights_have_the_recorded_accuracy(
    classifier: SceneClassifier, held_out: LabelledScenes
) -> None:
    stated = json.loads((CLASSIFIER / "classifier.json").read_text())["held_out"]
    measured = accuracy(classifier.predict(held_out.images()), held_out)
    assert stated["glyph"] >= 0.93
    for name, least in (("glyph", 0.9), ("color", 0.9)):
        spread = 4 * math.sqrt(stated[name] * (1 - stated[name]) / 150)
        assert measured[name] >= max(least, stated[name] - spread)


def test_the_committed_weights_are_robust_to_augmentation(
    classifier: SceneClassifier, held_out: LabelledScenes
) -> None:
    images = augment(held_out.images(), torch.Generator().manual_seed(0))
    assert accuracy(classifier.predict(images), held_out)["glyph"] >= 0.9


def test_the_committed_weights_have_the_recorded_hash() -> None:
    from latelier.io.hashing import sha256_of

    record = json.loads((CLASSIFIER / "classifier.json").read_text())["weights"]
    assert sha256_of(CLASSIFIER / record["file"]) == record["sha256"]
    assert (CLASSIFIER / record["file"]).stat().st_size < 2 * 2**20


def test_saved_weights_predict_the_same(classifier: SceneClassifier, tmp_path: Path) -> None:
    save_network(tmp_path / "again.safetensors", classifier)
    images = torch.linspace(-1, 1, 2 * 3 * SIDE * SIDE).reshape(2, 3, SIDE, SIDE)
    again = load_classifier(tmp_path / "again.safetensors")
    assert torch.equal(again(images).glyph, classifier(images).glyph)
    assert not again.training


@pytest.mark.parametrize("shape", [(3, SIDE, SIDE), (1, 1, SIDE, SIDE), (1, 3, 32, 32)])
def test_pictures_of_a_wrong_shape_are_an_error(
    classifier: SceneClassifier, shape: tuple[int, ...]
) -> None:
    with pytest.raises(InvalidInputError, match="3, 64, 64"):
        classifier(torch.zeros(shape))


def test_a_missing_or_damaged_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not found"):
        load_classifier(tmp_path / "missing.safetensors")
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes((CLASSIFIER / CLASSIFIER_WEIGHTS).read_bytes()[:5000])
    with pytest.raises(ModelFileError, match="damaged"):
        load_classifier(damaged)


def test_accuracy_counts_colors_only_where_one_is_named() -> None:
    labels = LabelledScenes(
        pictures=torch.zeros(4, 3, 1, 1, dtype=torch.uint8),
        glyph=torch.tensor([0, 1, 2, 3]),
        kind=torch.tensor([0, 0, 5, 5]),
        color=torch.tensor([7, 8, -1, -1]),
    )
    prediction = Prediction(
        glyph=torch.eye(512)[[0, 1, 2, 4]],
        kind=torch.eye(6)[[0, 0, 0, 5]],
        color=torch.eye(16)[[7, 7, 7, 7]],
    )
    assert accuracy(prediction, labels) == {"glyph": 0.75, "kind": 0.75, "color": 0.5}
