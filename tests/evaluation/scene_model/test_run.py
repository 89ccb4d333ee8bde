from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from latelier.data.emoji_scenes import Scene
from latelier.data.emoji_scenes.dataset import EmojiScenes
from latelier.evaluation.scene_model.conditions import CONDITIONS
from latelier.evaluation.scene_model.examples import reconstruct
from latelier.evaluation.scene_model.run import SceneTest, list_parts, measure_condition
from latelier.evaluation.scenes import read_scenes, to_images
from latelier.metrics.scene_detector import SceneDetector
from latelier.pipeline import Pipeline

Detectors = Callable[[Sequence[Scene]], SceneDetector]
SIDE = 32


def _test(pipeline: Pipeline, detector: SceneDetector, **changes: Any) -> SceneTest:
    fields = {"count": 3, "reference_count": 5, "options": {"size": SIDE, "steps": 1}}
    return SceneTest(pipeline, detector, SIDE, **{**fields, **changes})


def test_a_condition_is_measured_beside_the_first_stage_and_the_scenes(
    tiny: Pipeline, perfect_detector: Detectors
) -> None:
    condition = CONDITIONS["background"]
    test = _test(tiny, SceneDetector())
    scenes = read_scenes(EmojiScenes(test.scenes(condition, "seen"), test.seed, test.count))
    test = _test(tiny, perfect_detector(scenes))
    measured, pictures = measure_condition(test, condition, "seen")
    assert list(measured) == ["model", "first_stage", "rendered"]
    assert pictures.shape == (3, 3, SIDE, SIDE)
    assert measured["model"] == measured["rendered"]
    assert measured["model"]["background"] == 1


def test_text_has_a_fit_a_first_choice_and_a_frechet_distance(tiny: Pipeline) -> None:
    torch.manual_seed(0)
    detector = SceneDetector().eval().requires_grad_(False)
    measured, _ = measure_condition(_test(tiny, detector), CONDITIONS["text"], "never_seen")
    for values in measured.values():
        assert values.keys() == {"fit", "fit_25", "fit_75", "first_choice", "frechet"}
    assert measured["rendered"]["fit"] > measured["model"]["fit"]
    assert measured["rendered"]["frechet"] < measured["model"]["frechet"]


def test_parts_have_different_drawings_and_own_ones_are_never_seen(tiny: Pipeline) -> None:
    test = _test(tiny, SceneDetector(), count=40)
    shown = []
    for part in list_parts(CONDITIONS["text"]):
        scenes = EmojiScenes(test.scenes(CONDITIONS["text"], part), test.seed, test.count)
        shown.append({each.glyph.index for s in read_scenes(scenes) for each in s.objects})
    assert len(shown) == 2
    assert not shown[0] & shown[1]
    assert {index % 16 for index in shown[1]} == {0}
    own = CONDITIONS["own-reference"]
    assert list_parts(own) == ("never_seen",)
    (scene,) = read_scenes(EmojiScenes(test.scenes(own, "never_seen"), 1, 1))
    assert scene.objects[0].origin == "drawn"


@pytest.fixture
def steered(
    compose_tiny: Callable[..., Pipeline], tiny_changes: Callable[[], dict[str, Any]]
) -> Pipeline:
    """Compose a model with all inputs of the conditions."""
    parts = tiny_changes()
    _, denoiser = parts["denoiser"]
    streams = {
        "text": {"width": 16, "injection": "native"},
        "layout": {"width": 16, "injection": "native"},
        "references": {"width": 39, "injection": "named"},
    }
    spatial = {"semantic_map": 12, "low_resolution": 3, "mask": 5}
    changed = {**denoiser, "streams": streams, "spatial": spatial, "vectors": {}}
    slots = {"num_classes": 3, "names": ("#1", "#2", "#3"), "max_objects_per_image": 3}
    inputs = {name: name for name in ("layout", "semantic_map", "low_resolution")}
    return compose_tiny(
        denoiser=("unet", changed),
        conditioners={
            "text": ("text", {"width": 16, "layers": 1, "heads": 2, "max_length": 96}),
            "layout": ("layout_fourier", {**slots, "width": 16, "layers": 1}),
            "references": ("references", {"latent_channels": 4, "size": 16}),
            "semantic_map": ("semantic_map", {"num_classes": 12, "n_stages": 1}),
            "low_resolution": ("image", {"factor": 4}),
            "mask": ("mask", {"latent_channels": 4}),
        },
        inputs={"prompt": "text", "reference": "references", **inputs},
        defaults={**parts["defaults"], "guidance": 1.0, "database": "latelier/emoji"},
    )


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.filterwarnings("ignore")
def test_a_model_with_all_inputs_is_measured_under_every_condition(
    name: str, steered: Pipeline
) -> None:
    torch.manual_seed(0)
    condition = CONDITIONS[name]
    assert set(condition.needs) <= steered.inputs.keys()
    test = _test(steered, SceneDetector().eval().requires_grad_(False), count=2)
    measured, pictures = measure_condition(test, condition, "never_seen")
    assert pictures.shape == (2, 3, SIDE, SIDE)
    shown = {figure.name for figure in condition.figures} - {"place", "color", "relation"}
    for values in measured.values():
        assert shown <= values.keys()
    if name == "inpainting":
        assert [values["exact"] for values in measured.values()] == [1, 1, 1]


def test_reconstructions_have_whole_levels(tiny: Pipeline, lone: list[Scene]) -> None:
    copies = reconstruct(tiny, to_images(lone), batch_size=3)
    levels = (copies + 1) * 127.5
    assert copies.shape == (4, 3, 64, 64)
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
