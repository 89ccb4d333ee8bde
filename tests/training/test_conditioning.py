from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from latelier import PictureGeometry, default_atelier
from latelier.contracts.errors import InvalidInputError
from latelier.data.pictures import UnusableError
from latelier.training.conditioning import Conditioning
from latelier.training.configs.components import InputSource
from latelier.training.randomness import Draws

ROWS = 4000
GEOMETRY = PictureGeometry((4, 4), (2, 2))


def draw_kept(drops, drop_all=0.0, keep_one=0.0, step=0):
    sources = {
        name: InputSource(source=name, drop=drop) for name, drop in zip("abc", drops, strict=False)
    }
    conditioning = Conditioning(SimpleNamespace(), sources, drop_all, keep_one, seed=0)
    return torch.stack(list(conditioning.draw_kept(Draws(0, step, range(ROWS))).values()))


def share_of(rows):
    return rows.float().mean(-1).tolist()


def test_each_condition_has_its_own_probability():
    kept = draw_kept((0.1, 0.5, 1.0))
    assert share_of(kept) == pytest.approx([0.9, 0.5, 0.0], abs=0.03)
    # and they are independent, so every subset occurs
    assert share_of(kept[0] & kept[1]) == pytest.approx(0.45, abs=0.03)
    assert share_of(~kept[0] & kept[1]) == pytest.approx(0.05, abs=0.02)


def test_all_conditions_are_dropped_together():
    kept = draw_kept((0.0, 0.0), drop_all=0.2)
    assert torch.equal(kept[0], kept[1])
    assert share_of(kept[0]) == pytest.approx(0.8, abs=0.03)


def test_one_condition_is_kept_and_the_others_dropped():
    kept = draw_kept((0.0, 0.0, 1.0), drop_all=0.1, keep_one=0.6)
    count = kept.sum(0)
    assert share_of(count == 0) == pytest.approx(0.1, abs=0.02)
    assert share_of(count == 2) == pytest.approx(0.3, abs=0.03)  # the rest, without the third
    assert share_of((count == 1) & kept) == pytest.approx([0.2, 0.2, 0.2], abs=0.03)


def test_keeping_one_always_leaves_exactly_one():
    assert (draw_kept((0.5, 0.5, 0.5), keep_one=1.0).sum(0) == 1).all()


def test_a_row_depends_on_its_step_and_position():
    assert torch.equal(draw_kept((0.5, 0.5)), draw_kept((0.5, 0.5)))
    assert not torch.equal(draw_kept((0.5, 0.5)), draw_kept((0.5, 0.5), step=1))


def test_a_sample_without_an_input_cannot_be_used():
    conditioners = {"a": SimpleNamespace()}
    conditioning = Conditioning(conditioners, {"a": InputSource(source="prompt")}, 0, 0, seed=0)
    with pytest.raises(UnusableError, match="it has no 'prompt'"):
        conditioning.prepare_samples([{"image": torch.zeros(3, 2, 2), "index": 0}], GEOMETRY)


def test_a_caption_that_names_a_file_is_not_opened_as_a_picture(tmp_path):
    path = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(path)
    conditioner = default_atelier().registries["conditioner"].build("image", {})
    conditioning = Conditioning(
        {"picture": conditioner}, {"picture": InputSource(source="prompt")}, 0, 0, seed=0
    )
    with pytest.raises(UnusableError, match="'prompt' of the data"):
        conditioning.prepare_samples([{"prompt": str(path), "index": 0}], GEOMETRY)
    with pytest.raises(InvalidInputError, match="'prompt' of the data"):
        conditioning.prepare([{"prompt": str(path), "index": 0}], PictureGeometry((4, 4), (2, 2)))


def test_a_map_with_a_label_out_of_range_cannot_be_used():
    config = {"num_classes": 5, "n_stages": 1}
    conditioner = default_atelier().registries["conditioner"].build("semantic_map", config)
    sources = {"map": InputSource(source="semantic_map")}
    conditioning = Conditioning({"map": conditioner}, sources, 0, 0, seed=0)
    labels = np.full((4, 4), 4, np.uint8)
    conditioning.prepare_samples([{"semantic_map": labels, "index": 0}], GEOMETRY)
    labels[1, 2] = 5
    with pytest.raises(UnusableError, match=r"labels that .* does not know: 5 \(1 pixel\)"):
        conditioning.prepare_samples([{"semantic_map": labels, "index": 0}], GEOMETRY)


def test_arrays_and_pictures_of_the_data_are_inputs():
    build = default_atelier().registries["conditioner"].build
    conditioners = {
        "picture": build("image", {}),
        "map": build("semantic_map", {"num_classes": 5, "n_stages": 1}),
        "mask": build("mask", {"latent_channels": 4}),
    }
    sources = {
        "picture": InputSource(source="image"),
        "map": InputSource(source="semantic_map"),
        "mask": InputSource(source="inpainting"),
    }
    image = Image.new("RGB", (8, 8), "red")
    sample = {
        "image": torch.zeros(3, 8, 8),
        "semantic_map": np.ones((8, 8), np.uint8),
        "inpainting": {"image": image, "mask": Image.new("L", (8, 8), 255)},
        "index": 0,
    }
    prepared = Conditioning(conditioners, sources, 0, 0, seed=0).prepare(
        [sample], PictureGeometry((8, 8), (4, 4))
    )
    assert set(prepared) == set(sources)


def test_what_a_sample_was_checked_with_is_not_prepared_again(monkeypatch):
    build = default_atelier().registries["conditioner"].build
    conditioners = {
        "map": build("semantic_map", {"num_classes": 5, "n_stages": 1}),
        "numbers": build("embedding", {"width": 2, "max_vectors": 3}),
    }
    sources = {name: InputSource(source=name) for name in conditioners}
    conditioning = Conditioning(conditioners, sources, 0, 0, seed=0)
    maps = np.arange(32, dtype=np.uint8).reshape(2, 4, 4) % 5
    samples = [
        {"map": labels, "numbers": [[1.0, 2.0]] * (k + 1), "index": k}
        for k, labels in enumerate(maps)
    ]
    expected = conditioning.prepare(samples, GEOMETRY)
    ready = [{**each, **conditioning.prepare_samples([each], GEOMETRY)[0]} for each in samples]
    monkeypatch.setattr(conditioners["map"], "prepare", None)
    found = conditioning.prepare(ready, GEOMETRY)  # numbers of two lengths must be padded together
    for name, tensors in expected.items():
        assert found[name].keys() == tensors.keys()
        assert all(torch.equal(found[name][key], tensors[key]) for key in tensors)


def test_samples_that_are_prepared_together_are_not_joined_again():
    build = default_atelier().registries["conditioner"].build
    conditioning = Conditioning(
        {"numbers": build("embedding", {"width": 2, "max_vectors": 3})},
        {"numbers": InputSource(source="numbers")},
        0,
        0,
        seed=0,
    )
    samples = [{"numbers": [[1.0, 2.0]] * (k + 1), "index": k} for k in range(3)]
    expected = conditioning.prepare(samples, GEOMETRY)["numbers"]
    fields = conditioning.prepare_samples(samples, GEOMETRY)
    ready = [{**each, **field} for each, field in zip(samples, fields, strict=True)]
    found = conditioning.prepare(ready, GEOMETRY)["numbers"]
    assert found is ready[0]["prepared"]["numbers"].batch
    assert all(found[name].equal(tensor) for name, tensor in expected.items())
    some = conditioning.prepare(ready[:2], GEOMETRY)["numbers"]
    assert all(some[name].equal(tensor[:2]) for name, tensor in expected.items())
    turned = conditioning.prepare(ready[::-1], GEOMETRY)["numbers"]
    assert all(turned[name].equal(tensor.flip(0)) for name, tensor in expected.items())


def test_inputs_that_are_changed_at_random_are_changed_once(monkeypatch):
    build = default_atelier().registries["conditioner"].build
    conditioner = build("layout_fourier", {"num_classes": 5, "width": 8, "layers": 0})
    sources = {"objects": InputSource(source="layout")}
    conditioning = Conditioning({"objects": conditioner}, sources, 0, 0, seed=0)
    objects = [{"box": (0, 0, 0.2 * k, 1), "label": k} for k in range(1, 5)]
    samples = [{"layout": objects, "index": k} for k in range(3)]
    expected = conditioning.prepare(samples, GEOMETRY)["objects"]
    assert not expected["labels"][0].equal(expected["labels"][1])
    ready = [{**each, **conditioning.prepare_samples([each], GEOMETRY)[0]} for each in samples]
    monkeypatch.setattr(conditioner, "augment", None)
    found = conditioning.prepare(ready, GEOMETRY)["objects"]
    assert all(found[name].equal(tensor) for name, tensor in expected.items())
