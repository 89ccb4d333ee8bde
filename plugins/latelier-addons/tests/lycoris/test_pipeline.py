"""Pipelines with changes of the LoRA family: views, saving, replay, threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from latelier import compose, load
from latelier.checkpoints.lora.layers import find_layers
from latelier.pipeline.replay.replay import replay

from .conftest import DENOISERS, fill, write
from .test_reading import draw

ASKED = {"prompt": "a red cat", "seed": 3}


@pytest.fixture(scope="module")
def pipeline(atelier, tmp_path_factory):
    """A saved model, so that its pictures can be made again."""
    pipeline = compose(
        first_stage=(
            "autoencoder_kl",
            {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4},
        ),
        denoiser=("unet", DENOISERS["unet"]),
        conditioners={"text": ("text", {"width": 16, "layers": 1, "heads": 2})},
        inputs={"prompt": "text"},
        process={"kind": "rectified_flow"},
        defaults={"size": 16, "steps": 2, "guidance": 3.0},
        device="cpu",
        atelier=atelier,
    )
    for component in pipeline.components().values():
        fill(component.module)
    pipeline.conditioner_components["text"].module.fit(["a red cat", "a blue dog"])
    folder = tmp_path_factory.mktemp("model")
    pipeline.save(folder)
    return load(folder, "cpu", "float32", atelier=atelier)


def write_file(path, pipeline, seed):
    """Write LoKr of the keys and DoRA of the queries."""
    tensors = {}
    for i, (address, layer) in enumerate(find_layers(pipeline.base_modules()).items()):
        outputs, inputs = layer.weight.shape[:2]
        if address.endswith("to_k"):
            tensors[f"{address}.lokr_w1"] = draw(2, 2, seed=seed + i)
            tensors[f"{address}.lokr_w2"] = 0.2 * draw(outputs // 2, inputs // 2, seed=seed + i)
        if address.endswith("to_q"):
            tensors[f"{address}.lora_down.weight"] = draw(2, inputs, seed=seed + i)
            tensors[f"{address}.lora_up.weight"] = draw(outputs, 2, seed=seed + i)
            tensors[f"{address}.dora_scale"] = draw(outputs, 1, seed=seed + i).abs()
    return write(path, tensors)


@pytest.fixture(scope="module")
def files(pipeline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return [write_file(folder / f"{name}.safetensors", pipeline, ord(name)) for name in "ab"]


def pixels(pipeline):
    return [picture.image.tobytes() for picture in pipeline.generate(**ASKED)]


def test_the_base_keeps_every_bit_after_many_views(pipeline, files):
    before = {
        place: {name: each.clone() for name, each in module.state_dict().items()}
        for place, module in pipeline.base_modules().items()
    }
    for scale in (1.0, -0.5, 0.3):
        view = pipeline.with_adapter(files[0], scale).with_adapter(files[1], scale)
        assert pixels(view) != pixels(pipeline)
    for place, module in pipeline.base_modules().items():
        after = module.state_dict()
        assert all(torch.equal(each, after[name]) for name, each in before[place].items())


def test_a_view_owns_the_changed_parameters_alone(pipeline, files):
    view = pipeline.with_adapter(files[0])
    changes = view.adapters["a"].loaded.adapter.module.changes
    for place, module in pipeline.base_modules().items():
        own = view.components()[place].module.state_dict()
        for name, tensor in module.state_dict().items():
            is_own = own[name].data_ptr() != tensor.data_ptr()
            assert is_own == (f"{place}.{name}" in changes), name


def test_views_nest_in_any_order(pipeline, files):
    """All changes are of the unchanged weights."""
    both = pipeline.with_adapter(files[0], 0.8).with_adapter(files[1], -0.5)
    swapped = pipeline.with_adapter(files[1], -0.5).with_adapter(files[0], 0.8)
    theirs = swapped.denoiser.state_dict()
    for name, tensor in both.denoiser.state_dict().items():
        torch.testing.assert_close(tensor, theirs[name], rtol=1e-5, atol=1e-6)


def test_a_saved_view_makes_the_same_pictures(pipeline, files, atelier, tmp_path):
    view = pipeline.with_adapter(files[0], 0.7)
    view.save(tmp_path / "view")
    again = load(tmp_path / "view", "cpu", "float32", atelier=atelier)
    assert pixels(again) == pixels(view)
    assert pixels(again.with_adapters({})) == pixels(pipeline)
    merged = view.with_merged_weights()
    assert not merged.adapters
    assert pixels(merged) == pixels(view)


def test_a_picture_is_made_again(pipeline, files, atelier, tmp_path):
    view = pipeline.with_adapter(files[0], 0.7).with_adapter(files[1])
    view.generate(**ASKED)[0].save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", atelier=atelier).verdict == "identical"


def test_threads_use_different_views_of_one_model(pipeline, files):
    views = [pipeline, *map(pipeline.with_adapter, files)] * 2
    alone = [pixels(view) for view in views]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(pixels, views)) == alone


def test_another_device_or_precision_keeps_the_view(pipeline, files):
    moved = pipeline.with_adapter(files[0]).to(dtype="bfloat16")
    exact = pipeline.with_adapter(files[0]).denoiser.state_dict()
    for name, tensor in moved.denoiser.state_dict().items():
        torch.testing.assert_close(tensor.float(), exact[name], rtol=2**-7, atol=2**-7)
