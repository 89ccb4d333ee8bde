"""Each task, by a tiny model that has the input of it."""

from typing import Any

import pytest

from latelier.evaluation.run.chunks import compute_chunk

TASKS: dict[str, tuple[Any, tuple[str, dict[str, Any]], dict[str, Any]]] = {
    "class_label": (
        "class",
        ("class_label", {"num_classes": 1167, "width": 8, "slot": "vector"}),
        {"vectors": {"class_label": 8}},
    ),
    "layout": (
        "layout",
        ("layout_fourier", {"num_classes": 1167, "width": 16}),
        {"streams": {"layout": {"width": 16, "injection": "native"}}, "context_dim": 16},
    ),
    "semantic_map": (
        "semantic_map",
        ("semantic_map", {"num_classes": 12, "n_stages": 1, "out_channels": 3}),
        {"spatial": {"semantic_map": 3}},
    ),
    "low_resolution": (
        {"kind": "super_resolution", "factor": 2},
        ("image", {"factor": 2}),
        {"spatial": {"low_resolution": 3}},
    ),
    "mask": ("inpainting", ("mask", {"latent_channels": 4}), {"spatial": {"mask": 5}}),
}
"""Input -> the task, the conditioner, and what the denoiser has of it."""


@pytest.mark.parametrize("name", TASKS)
def test_a_model_is_given_what_its_input_takes(name, prepare, compose_tiny, tiny_changes, tmp_path):
    task, conditioner, fields = TASKS[name]
    parts = tiny_changes()
    base = {"streams": {}, "vectors": {}, "context_dim": None}
    parts["denoiser"] = ("unet", {**parts["denoiser"][1], **base, **fields})
    parts["conditioners"] = {name: conditioner}
    parts["inputs"] = {} if name == "mask" else {name: name}
    parts["defaults"] = {"size": 32, "steps": 1}
    compose_tiny(**parts).save(tmp_path / "model")
    scenes = {"config": {"size": 32, "objects": [1, 2]}}

    evaluation = prepare(
        task=task, model=str(tmp_path / "model"), data=scenes, measures=["difference"], keep=11
    )

    chunk = compute_chunk(evaluation, 0)
    assert chunk.unusable == ()
    assert chunk.columns["index"].tolist() == [0, 1, 2, 3]
    assert not all(chunk.columns["difference.difference"] == 0)
    assert chunk.kept[0].shape == (3, 32, 32)
