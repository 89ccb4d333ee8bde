"""The conditioners of tokens in whole pipelines: generating, saving, loading, provenance."""

import json
from typing import Any

import pytest
import torch

from latelier.pipeline import load

VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nred\ncat\ndog\n"
CAT = {"label": "cat", "box": [0.0, 0.0, 0.5, 0.5]}
DOG = {"label": 1, "box": [0.25, 0.5, 1.0, 1.0]}
OBJECTS = {"num_classes": 2, "names": ("cat", "dog"), "max_objects_per_image": 3}

CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "bert_text": (
        {"n_embed": 16, "n_layer": 1, "vocab_size": 8, "max_seq_len": 8},
        "a red cat",
        ["a dog", "a red cat"],
    ),
    "layout": ({"n_embed": 16, "n_layer": 1, **OBJECTS}, [CAT, DOG], [[DOG], [CAT, DOG]]),
    "layout_fourier": ({"width": 16, "layers": 1, **OBJECTS}, [CAT, DOG], [[DOG], [CAT, DOG]]),
    "embedding": (
        {"width": 16, "max_vectors": 3, "normalise": True},
        [[1.0] * 16, [0.5, -0.5] * 8],
        [[[0.1] * 8 + [-1.0] * 8], [[1.0] * 16, [0.5, -0.5] * 8]],
    ),
    "class_label": ({"num_classes": 3, "width": 16, "null_class": False}, 2, [0, 2]),
}


@pytest.fixture(params=list(CASES))
def case(request, compose_tiny, tiny_changes):
    """A pipeline with one conditioner, an input for it, and inputs for two rows."""
    config, one, two = CASES[request.param]
    name = "given"
    _, denoiser = tiny_changes()["denoiser"]
    streams = {name: {"width": 16, "injection": "native"}}
    pipeline = compose_tiny(
        denoiser=("unet", {**denoiser, "streams": streams, "vectors": {}}),
        conditioners={name: (request.param, config)},
        inputs={name: name},
    )
    if request.param == "bert_text":
        pipeline.conditioner_components[name].module.set_assets({"vocab.txt": VOCABULARY})
    return pipeline, one, two


def pixels(pictures):
    return [picture.image.tobytes() for picture in pictures]


def test_a_saved_pipeline_gives_the_same_bits(case, tmp_path, built_ins):
    pipeline, one, _ = case
    pipeline.save(tmp_path)
    loaded = load(tmp_path, "cpu", atelier=built_ins)
    expected = pixels(pipeline.generate(given=one, seed=3))
    assert pixels(loaded.generate(given=one, seed=3)) == expected
    assert pixels(loaded.generate(seed=3)) != expected


def test_rows_do_not_depend_on_their_batch(case):
    pipeline, one, two = case
    together = pipeline.generate(given=two, seed=3)
    assert len(together) == 2
    alone = pipeline.generate(given=one, seed=4)[0]
    difference = torch.tensor(list(alone.image.tobytes())).float() - torch.tensor(
        list(together[1].image.tobytes())
    )
    assert difference.abs().max() <= 2


def test_inputs_in_the_provenance_can_be_reused(case):
    pipeline, one, two = case
    for given in (one, two):
        picture = pipeline.generate(given=given, seed=3)[0]
        stored = json.loads(json.dumps(picture.provenance))["request"]["inputs"]
        again = pipeline.generate(**stored, seed=3)
        assert again[0].image.tobytes() == picture.image.tobytes()


def test_it_runs_in_half_precision(case):
    pipeline, one, _ = case
    half = pipeline.to("cpu", "bfloat16")
    assert len(half.generate(given=one)) == 1
