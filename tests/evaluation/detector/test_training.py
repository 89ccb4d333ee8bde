import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from latelier.contracts.errors import ModelFileError
from latelier.data.emoji_scenes import Scene, SceneConfig
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.detector.accuracy import measure_accuracy
from latelier.evaluation.detector.labels import NO_LABEL, LabelledSceneBatches, label_scene
from latelier.evaluation.detector.training import (
    DetectorTraining,
    disturb,
    pool_objects,
    train_detector,
)
from latelier.metrics.scene_detector import SceneDetector

SMALL = SceneConfig(size=32, glyphs=("cat", "pizza"), backgrounds=("plain",))
TINY = DetectorTraining(
    scenes=(SMALL,), steps=6, batch_size=8, lr=3e-3, warmup=1, workers=0, log_every=2, save_every=2
)


def _adamw(detector: SceneDetector) -> torch.optim.Optimizer:
    return torch.optim.AdamW(detector.parameters())


def test_training_lowers_the_losses(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="latelier.evaluation.detector.training")
    state = torch.get_rng_state()
    assert train_detector(TINY, _adamw, tmp_path / "run.pt") is not None
    assert torch.equal(torch.get_rng_state(), state)
    logged = [record.getMessage().split() for record in caplog.records]
    losses = [dict(zip(words[2::2], map(float, words[3::2]), strict=True)) for words in logged]
    assert len(losses) == 3
    for name in ("glyph", "semantics", "kind"):
        assert losses[-1][name] < losses[0][name], name


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = train_detector(TINY, _adamw, tmp_path / "whole.pt")
    parts: list[SceneDetector | None] = []
    while not parts or parts[-1] is None:
        parts.append(train_detector(TINY, _adamw, tmp_path / "parts.pt", seconds=0))
    assert len(parts) == TINY.steps
    assert whole is not None
    assert parts[-1] is not None
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, parts[-1].state_dict()[name]), name


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    first = train_detector(TINY, _adamw, tmp_path / "run.pt")
    written = (tmp_path / "run.pt").stat().st_mtime_ns
    again = train_detector(TINY, _adamw, tmp_path / "run.pt")
    assert (tmp_path / "run.pt").stat().st_mtime_ns == written
    assert first is not None
    assert again is not None
    assert torch.equal(first.glyph.weight, again.glyph.weight)


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_an_error(tmp_path: Path) -> None:
    train_detector(TINY, _adamw, tmp_path / "run.pt", seconds=0)
    with pytest.raises(ModelFileError, match="other hyperparameters"):
        train_detector(TINY.model_copy(update={"lr": 1e-3}), _adamw, tmp_path / "run.pt")
    (tmp_path / "run.pt").write_bytes((tmp_path / "run.pt").read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="damaged"):
        train_detector(TINY, _adamw, tmp_path / "run.pt")


def test_batches_are_of_one_configuration_each_and_never_repeat() -> None:
    configs = (SMALL, SMALL.model_copy(update={"size": 64}))
    batches = LabelledSceneBatches(configs, seed=1, batch_size=2)
    sizes = [batches[k]["image"].shape[-1] for k in range(8)]
    assert sizes == [32, 32, 64, 64, 32, 32, 64, 64]
    assert not torch.equal(batches[0]["image"], batches[4]["image"])


def test_labels_say_what_the_scene_has() -> None:
    scenes = EmojiScenes(SceneConfig(size=64, objects=(2, 2), backgrounds=("dots",)), seed=3)
    scene = scenes.scene(0)
    labels = label_scene(scene)
    shown = {each.glyph.index for each in scene.objects}
    assert set(labels["glyph"].unique().tolist()) == {NO_LABEL, *shown}
    assert float(labels["weight"].sum()) == pytest.approx(2)
    for each in scene.objects:
        at = labels["glyph"] == each.glyph.index
        assert labels["box"][:, at].unique(dim=1).squeeze(1).tolist() == pytest.approx(each.box)
    assert labels["semantics"].shape == (16, 16)
    assert int(labels["place"]) == NO_LABEL
    assert NO_LABEL not in (int(labels["color"]), int(labels["second_color"]))


def test_objects_are_pooled_over_their_cells() -> None:
    scenes = EmojiScenes(SceneConfig(size=128, objects=(2, 2)), seed=3)
    batch = default_collate([label_scene(scenes.scene(k)) for k in range(3)])
    cells = torch.randn(3, 5, 16, 16, generator=torch.Generator().manual_seed(0))
    features, glyphs = pool_objects(cells, batch)
    assert len(features) == len(glyphs) == 6
    for picture in range(3):
        for each in scenes.scene(picture).objects:
            own = cells[picture][:, batch["glyph"][picture] == each.glyph.index].mean(1)
            [at] = (glyphs == each.glyph.index).nonzero().flatten().tolist()
            torch.testing.assert_close(features[at], own)


def test_pictures_stay_sharp_when_disturbed() -> None:
    images = torch.zeros(4, 3, 8, 8)
    generator = torch.Generator().manual_seed(0)
    disturbed = disturb(images, generator)
    assert 0 < float(disturbed.abs().mean()) < 0.05
    assert float(disturb(torch.ones(1, 3, 8, 8), generator).max()) <= 1


def test_the_accuracy_of_a_perfect_detector_is_one(
    perfect_detector: Callable[[Sequence[Scene]], SceneDetector],
) -> None:
    scenes = EmojiScenes(SceneConfig(size=128, objects=(1, 3)), seed=5, length=6)
    detector = perfect_detector([scenes.scene(k) for k in range(6)])
    accuracy = measure_accuracy(detector, scenes, batch_size=4)
    assert accuracy.pop("mean_iou") > 0.9  # its map has a quarter of the picture's sides
    assert set(accuracy.values()) == {1.0}
    assert {"object", "all_present", "box", "kind", "color"} <= accuracy.keys()
