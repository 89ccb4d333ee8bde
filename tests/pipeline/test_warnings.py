"""Warnings: one line each for what has no effect or looks bad; pictures are made all the same."""

import logging

import numpy as np
import pytest


@pytest.fixture
def warnings_of(caplog):
    def run(pipeline, **keywords):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            pipeline.stream(**{"prompt": "a cat", "steps": 1, **keywords})
        return [record.getMessage() for record in caplog.records]

    return run


def test_a_much_larger_size_gets_a_warning_that_suggests_windows(tiny, warnings_of):
    (line,) = warnings_of(tiny, size=32)
    assert line == (
        "`size`: 32x32 is far beyond the 16x16 that the model was trained on, where things repeat; "
        "`window=16` denoises in windows of that size"
    )
    assert warnings_of(tiny, size=(28, 32)) == []
    assert warnings_of(tiny, size=64, window=16) == []


def test_with_a_map_any_size_gets_no_warning(compose_tiny, tiny_changes, warnings_of):
    parts = tiny_changes()
    _, denoiser = parts["denoiser"]
    pipeline = compose_tiny(
        denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"map": 3}}),
        conditioners={
            "text": parts["conditioners"]["text"],
            "map": ("semantic_map", {"num_classes": 5, "n_stages": 1, "out_channels": 3}),
        },
        inputs={"prompt": "text", "map": "map"},
    )
    assert warnings_of(pipeline, map=np.zeros((32, 32), np.uint8)) == []
    assert warnings_of(pipeline, size=32)[0].startswith("`size`: 32x32 is far beyond")


def test_a_missing_map_gets_a_warning_that_names_its_input(compose_tiny, tiny_changes, warnings_of):
    parts = tiny_changes()
    _, denoiser = parts["denoiser"]
    pipeline = compose_tiny(
        denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"semantics": 3}}),
        conditioners={
            "text": parts["conditioners"]["text"],
            "semantics": ("semantic_map", {"num_classes": 5, "n_stages": 1, "out_channels": 3}),
        },
        inputs={"prompt": "text", "map": "semantics"},
    )
    assert warnings_of(pipeline) == [
        "map: this model draws from input 'map', missing here: it gets an empty one"
    ]
    assert warnings_of(pipeline, map=np.zeros((16, 16), np.uint8)) == []


def test_a_map_whose_absence_was_trained_may_be_missing(compose_tiny, tiny_changes, warnings_of):
    parts = tiny_changes()
    _, denoiser = parts["denoiser"]
    pipeline = compose_tiny(
        denoiser=("unet", {**denoiser, "vectors": {}, "spatial": {"map": 5}}),
        conditioners={
            "text": parts["conditioners"]["text"],
            "map": ("semantic_map", {"num_classes": 5, "n_stages": 1, "absence": "trained"}),
        },
        inputs={"prompt": "text", "map": "map"},
    )
    assert warnings_of(pipeline) == []


def test_a_warning_of_a_conditioner_is_logged_once(tiny, warnings_of, monkeypatch):
    text = tiny.conditioners["text"]
    monkeypatch.setattr(
        type(text), "check", lambda _, value: [f"'{value.text}' is in no caption"], raising=False
    )
    assert warnings_of(tiny, prompt=["yak", "yak", "gnu"]) == [
        "prompt: 'yak' is in no caption",
        "prompt: 'gnu' is in no caption",
    ]
    assert warnings_of(tiny, prompt="yak", negative="gnu") == [
        "prompt: 'yak' is in no caption",
        "negative prompt: 'gnu' is in no caption",
    ]
