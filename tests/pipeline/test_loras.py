"""Views of pipelines with LoRAs: what they share, save, record and replay."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from safetensors.torch import load_file, save_file

from latelier import export_model, load
from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.component import new_component
from latelier.checkpoints.importers.diffusers.layouts.unet import unet_to_diffusers
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import LORA_ID, Lora
from latelier.checkpoints.lora.writing import write_changes
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidInputError,
    ModelFileError,
    UnknownNameError,
)
from latelier.denoisers.adapter import ATTENTION_ID, create_adapter
from latelier.nn.low_rank import LowRank
from latelier.nn.stored_weights import find_compute_dtype
from latelier.pipeline.adapters import Strength
from latelier.pipeline.replay.replay import replay

PROMPT = "a red cat in a meadow"
CONDITIONS = ("context_dim", "streams", "vectors")


def draw_lora(pipeline, seed=0, parts=("to_k", "to_qkv", "in_layers.2")):
    generator = torch.Generator().manual_seed(seed)
    changes = {}
    for i, (address, layer) in enumerate(find_layers(pipeline.base_modules()).items()):
        if address.endswith(parts):
            down = torch.randn(1 + i % 3, *layer.weight.shape[1:], generator=generator) * 0.3
            up = torch.randn(len(layer.weight), 1 + i % 3, generator=generator) * 0.3
            changes[address] = LowRank(down, up, alpha=2.0)
    return Lora(changes).eval().requires_grad_(False)


def load_lora(name, lora, description="", **facts):
    component = adapter_component(LORA_ID, lora)
    return LoadedAdapter(name, component, description=description, **facts)


@pytest.fixture(scope="module")
def file(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("loras") / "my style.safetensors"
    write_changes(path, draw_lora(tiny).layers, tiny.base_modules(), "kohya")
    return path


@pytest.fixture(scope="module")
def other(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("loras") / "other.safetensors"
    write_changes(path, draw_lora(tiny, seed=1).layers, tiny.base_modules(), "diffusers")
    return path


@pytest.fixture
def saved(tiny, tmp_path):
    tiny.save(tmp_path / "model")
    return load(tmp_path / "model", "cpu", atelier=tiny.atelier)


def pixels(pipeline, **changes):
    request = {"prompt": PROMPT, "seed": 3, **changes}
    return [picture.image.tobytes() for picture in pipeline.generate(**request)]


def test_a_view_changes_pictures_and_not_the_pipeline(tiny, file):
    before = pixels(tiny)
    view = tiny.with_adapter(file, 0.8)
    assert pixels(view) != before
    assert pixels(tiny) == before
    assert pixels(tiny.with_adapter(file, 0)) == before
    assert view.adapters.keys() == {"my_style"}
    assert view.inputs == tiny.inputs


def test_a_view_shares_all_other_weights(tiny, file):
    view = tiny.with_adapter(file)
    layers = view.adapters["my_style"].loaded.adapter.module.layers
    for place, component in tiny.base_components().items():
        own = view.components()[place].module.state_dict()
        for name, tensor in component.module.state_dict().items():
            is_changed = f"{place}.{name.removesuffix('.weight')}" in layers
            assert (own[name].data_ptr() != tensor.data_ptr()) == is_changed, name


def test_a_moved_view_shares_all_other_weights_with_its_moved_base(tiny, file):
    view = tiny.with_adapter(file).to(dtype="bfloat16")
    layers = view.adapters["my_style"].loaded.adapter.module.layers
    base = view.base_modules()["denoiser"].state_dict()
    for name, tensor in view.denoiser.state_dict().items():
        is_changed = f"denoiser.{name.removesuffix('.weight')}" in layers
        assert (tensor.data_ptr() != base[name].data_ptr()) == is_changed, name
    half = tiny.to(dtype="bfloat16").with_adapter(file)
    assert pixels(view) == pixels(half)


def test_an_adapter_of_calls_leaves_merged_weights_alone(tiny, file):
    """They are merged once, and not again for what changes no weight."""
    view = tiny.with_adapter(file, 0.8)
    palette = LoadedAdapter(
        "palette",
        adapter_component(ATTENTION_ID, create_adapter(tiny.denoiser, 3)),
        new_component("conditioner", "embedding", {"width": 3}, tiny.atelier),
    )
    both = view.with_adapter(palette)
    assert both.denoiser is view.denoiser
    assert both.with_adapters(both.adapters).denoiser is view.denoiser
    converted = both.converted("bfloat16")
    assert converted.adapters.keys() == {"my_style", "palette"}
    assert converted.unchanged.keys() == view.unchanged.keys()
    adapter = converted.adapters["palette"].loaded.adapter.module
    assert find_compute_dtype(adapter) == torch.bfloat16


def test_views_nest_in_any_order(tiny, file, other):
    both = tiny.with_adapter(file, 0.8).with_adapter(other, -0.5)
    swapped = tiny.with_adapter(other, -0.5).with_adapter(file, 0.8)
    for place, component in both.components().items():
        theirs = swapped.components()[place].module.state_dict()
        for name, tensor in component.module.state_dict().items():
            torch.testing.assert_close(tensor, theirs[name], rtol=1e-5, atol=1e-6)
    assert pixels(both) not in (pixels(tiny), pixels(tiny.with_adapter(file, 0.8)))


def test_the_same_file_twice_counts_twice(tiny, file):
    twice = tiny.with_adapter(file, 0.5).with_adapter(file, 0.5)
    assert twice.adapters.keys() == {"my_style", "my_style_2"}
    found = twice.denoiser_component.module.state_dict()
    for name, tensor in tiny.with_adapter(file).denoiser_component.module.state_dict().items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-5, atol=1e-6)


def test_threads_use_different_loras_on_one_model(tiny, file, other):
    views = [tiny, tiny.with_adapter(file), tiny.with_adapter(other, 0.7)] * 2
    alone = [pixels(view) for view in views]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(pixels, views)) == alone


def test_a_lora_works_with_an_adapter_of_attentions(tiny, file):
    module = create_adapter(tiny.denoiser, 3, None)
    with torch.no_grad():
        for weights in module.parameters():
            weights.add_(0.1)
    config = {"width": 3, "max_vectors": 2}
    conditioner = new_component("conditioner", "embedding", config, tiny.atelier)
    palette = LoadedAdapter("palette", adapter_component(ATTENTION_ID, module), conditioner)
    one = tiny.with_adapter(file).with_adapter(palette)
    other = tiny.with_adapter(palette).with_adapter(file)
    red = [[1.0, 0.0, 0.0]]
    assert pixels(one, palette=red) == pixels(other, palette=red)
    assert pixels(one, palette=red) != pixels(tiny.with_adapter(palette), palette=red)
    assert pixels(one) == pixels(tiny.with_adapter(file))


def test_moving_a_view_moves_its_base_once(tiny, file):
    moved = tiny.with_adapter(file, 0.8).to(dtype="bfloat16")
    exact = tiny.with_adapter(file, 0.8).denoiser_component.module.state_dict()
    for name, tensor in moved.denoiser_component.module.state_dict().items():
        torch.testing.assert_close(tensor.float(), exact[name], rtol=2**-7, atol=2**-8)
    base = moved.base_components()["denoiser"].module
    assert moved.denoiser.out[2].weight is base.out[2].weight


def test_a_saved_view_keeps_base_lora_and_scale(tiny, file, tmp_path):
    view = tiny.with_adapter(file, -0.6)
    view.save(tmp_path / "view")
    again = load(tmp_path / "view", "cpu", atelier=tiny.atelier)
    assert pixels(again) == pixels(view)
    assert pixels(again.with_adapters({})) == pixels(tiny)
    assert again.adapters["my_style"].strength == Strength(-0.6)
    assert again.adapters["my_style"].source.name == str(file)
    again.save(tmp_path / "again")
    found = load(tmp_path / "again", "cpu", atelier=tiny.atelier)
    assert pixels(found) == pixels(view)


def test_a_view_has_other_scales(tiny, file):
    view = tiny.with_adapter(file, 0.8)
    other = view.with_adapter_scales({"my_style": -0.3})
    assert pixels(other) == pixels(tiny.with_adapter(file, -0.3))
    assert pixels(view) == pixels(tiny.with_adapter(file, 0.8)) != pixels(other)
    assert view.with_adapter_scales({"my_style": 0.8}).denoiser is view.denoiser


def test_a_view_is_printed_in_one_line(tiny, file):
    view = tiny.with_adapter(file, 0.8)
    adapter = f"<AttachedAdapter my_style: latelier/lora, scale=0.8, start=0, end=1, from {file}>"
    assert repr(view.adapters["my_style"]) == adapter
    assert repr(view) == (
        f"<Pipeline of no folder: inputs prompt, label; adapters {adapter}; torch.float32 on cpu>"
    )
    for each in (view.adapters, view.adapters["my_style"].loaded, view.components()):
        assert len(repr(each)) < 2000


def test_merged_weights_are_the_models_own(tiny, file, tmp_path):
    view = tiny.with_adapter(file, 0.6)
    merged = view.with_merged_weights()
    assert not merged.adapters
    assert pixels(merged) == pixels(view)
    merged.save(tmp_path / "merged")
    again = load(tmp_path / "merged", "cpu", atelier=tiny.atelier)
    assert pixels(again) == pixels(view)
    back = again.with_adapter(file, -0.6).with_merged_weights()
    wanted = tiny.denoiser_component.module.state_dict()
    for name, tensor in back.denoiser_component.module.state_dict().items():
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-5, atol=1e-6)


def test_an_export_has_the_merged_weights(compose_tiny, tiny_changes, tmp_path):
    pytest.importorskip("diffusers")
    parts = tiny_changes()
    unet = {key: each for key, each in parts["denoiser"][1].items() if key not in CONDITIONS}
    plain = compose_tiny(
        denoiser=("unet", unet), conditioners={}, inputs={}, process={"kind": "vp"}
    )
    lora = load_lora("sketch", draw_lora(plain, parts=("qkv", "conv")))
    view = plain.with_adapter(lora)
    view.save(tmp_path / "view")
    report = export_model(tmp_path / "view", tmp_path / "theirs", atelier=plain.atelier)
    assert "the adapter 'sketch' was merged into the weights" in report.notes
    theirs = load_file(tmp_path / "theirs" / "unet" / "diffusion_pytorch_model.safetensors")
    wanted = unet_to_diffusers(plain.denoiser.config, view.denoiser.state_dict())
    assert all(torch.equal(theirs[name], tensor) for name, tensor in wanted.items())


def test_a_folder_with_a_manifest_is_attached(tiny, tmp_path):
    lora = load_lora("sketch", draw_lora(tiny), "of lines", card={"by": "me"})
    save_adapter(lora, tiny.base_modules(), tmp_path / "lora")
    view = tiny.with_adapter(tmp_path / "lora")
    found = view.adapters["sketch"].loaded
    assert (found.description, found.card) == ("of lines", {"by": "me"})
    assert pixels(view) == pixels(tiny.with_adapter(tmp_path / "lora" / "adapter.safetensors"))
    stored = json.loads((tmp_path / "lora" / "adapter.json").read_text())
    assert stored["adapter"]["id"] == LORA_ID


class TestReplay:
    def make(self, view, path, **changes):
        (picture,) = view.generate(prompt=PROMPT, seed=3, **changes)
        picture.save(path)
        return picture

    def test_a_picture_records_hash_and_scale(self, saved, file):
        view = saved.with_adapter(file, -0.7)
        (picture,) = view.generate(prompt=PROMPT, seed=3)
        found = picture.provenance["adapters"]["my_style"]
        assert found == {
            "source": str(file),
            "version": None,
            "scale": -0.7,
            "start": 0.0,
            "end": 1.0,
            "trained_on": None,
        }
        components = picture.provenance["components"]
        assert len(components["adapters.my_style"]["weights_sha256"]) == 64
        base = saved.denoiser_component.weights_sha256
        assert components["denoiser"]["weights_sha256"] == base

    def test_a_picture_is_made_again(self, saved, file, other, tmp_path):
        view = saved.with_adapter(file, 0.8).with_adapter(other, -0.4)
        self.make(view, tmp_path / "a.png")
        assert replay(tmp_path / "a.png", atelier=saved.atelier).verdict == "identical"

    def test_a_picture_of_a_model_saved_with_a_lora_is_made_again(self, saved, file, tmp_path):
        saved.with_adapter(file, 0.8).save(tmp_path / "view")
        view = load(tmp_path / "view", "cpu", atelier=saved.atelier)
        self.make(view, tmp_path / "a.png")
        self.make(view.with_adapters({}), tmp_path / "b.png")
        assert replay(tmp_path / "a.png", atelier=saved.atelier).verdict == "identical"
        assert replay(tmp_path / "b.png", atelier=saved.atelier).verdict == "identical"

    def test_a_changed_file_is_named(self, saved, file, other, tmp_path):
        copy = shutil.copy(file, tmp_path / "style.safetensors")
        self.make(saved.with_adapter(copy), tmp_path / "a.png")
        shutil.copy(other, copy)
        with pytest.raises(ModelFileError, match=r"adapters\.style: the weights had the SHA-256"):
            replay(tmp_path / "a.png", atelier=saved.atelier)

    def test_merged_weights_are_of_no_file(self, saved, file):
        merged = saved.with_adapter(file).with_merged_weights()
        assert merged.denoiser_component.weights_sha256 is None
        assert merged.source is None
        sha256 = saved.first_stage_component.weights_sha256
        assert merged.first_stage_component.weights_sha256 == sha256 is not None
        assert saved.with_merged_weights().source is saved.source

    def test_a_lora_from_memory_cannot_be_found_again(self, saved, tmp_path):
        lora = load_lora("sketch", draw_lora(saved))
        self.make(saved.with_adapter(lora), tmp_path / "a.png")
        with pytest.raises(InvalidInputError, match="its adapter 'sketch' had not been saved"):
            replay(tmp_path / "a.png", atelier=saved.atelier)


class TestFaults:
    @pytest.mark.parametrize("scale", [float("nan"), float("inf"), "1", True, None])
    def test_an_invalid_scale_is_refused(self, tiny, file, scale):
        with pytest.raises(InvalidInputError, match="scale: the scale of an adapter is a finite"):
            tiny.with_adapter(file, scale)

    def test_a_missing_file_is_an_error(self, tiny, tmp_path):
        with pytest.raises(ModelFileError, match=r"none\.safetensors: .*not found"):
            tiny.with_adapter(tmp_path / "none.safetensors")
        with pytest.raises(UnknownNameError, match="there is no such path"):
            tiny.with_adapter(str(tmp_path / "none.safetensors"))

    def test_a_used_name_is_refused(self, tiny, file):
        view = tiny.with_adapter(file, as_="style")
        with pytest.raises(CompatibilityError, match="already has an adapter 'style'"):
            view.with_adapter(file, as_="style")
        with pytest.raises(CompatibilityError, match="already has an input, conditioner or stream"):
            tiny.with_adapter(file, as_="prompt")

    def test_a_lora_in_memory_of_another_model_is_refused(self, tiny):
        changes = {"denoiser.lost": LowRank(torch.ones(1, 4), torch.ones(4, 1), 1.0)}
        with pytest.raises(
            CompatibilityError, match=r"no parameter 'denoiser\.lost\.weight'\. The nearest"
        ):
            tiny.with_adapter(load_lora("a", Lora(changes)))
        changes = {"denoiser.out.2": LowRank(torch.ones(1, 4), torch.ones(4, 1), 1.0)}
        with pytest.raises(
            CompatibilityError, match=r"out\.2\.weight' has the shape \(4, 16, 3, 3"
        ):
            tiny.with_adapter(load_lora("a", Lora(changes)))

    def test_a_changed_file_of_a_folder_is_an_error(self, tiny, tmp_path):
        lora = load_lora("sketch", draw_lora(tiny))
        save_adapter(lora, tiny.base_modules(), tmp_path)
        save_file({"a": torch.ones(2)}, tmp_path / "adapter.safetensors")
        with pytest.raises(ModelFileError, match="its SHA-256 is"):
            tiny.with_adapter(tmp_path)

    def test_a_folder_that_names_no_weights_is_an_error(self, tiny, tmp_path):
        save_adapter(load_lora("sketch", draw_lora(tiny)), tiny.base_modules(), tmp_path)
        values = json.loads((tmp_path / "adapter.json").read_text())
        values["adapter"]["weights"] = None
        (tmp_path / "adapter.json").write_text(json.dumps(values))
        with pytest.raises(ModelFileError, match=f"{tmp_path}: its adapter names no weights"):
            tiny.with_adapter(tmp_path)


class TestDefaults:
    """What a LoRA says of steps, sampler, schedule and guidance replaces what its model says."""

    def lora(self, pipeline, **defaults):
        return load_lora("quick", draw_lora(pipeline), defaults=defaults)

    def test_a_view_has_them_and_the_pipeline_its_own(self, tiny, tmp_path):
        before = tiny.defaults
        lora = self.lora(tiny, steps=3, guidance=1.0, sampler="euler")
        save_adapter(lora, tiny.base_modules(), tmp_path)
        for view in (tiny.with_adapter(lora), tiny.with_adapter(tmp_path)):
            assert (view.defaults.steps, view.defaults.sampler.name) == (3, "euler")
            assert view.defaults.guidance.options == {"scale": 1.0}
            assert view.defaults.size == before.size
        assert tiny.defaults == before

    def test_a_request_may_say_something_else(self, tiny):
        view = tiny.with_adapter(self.lora(tiny, steps=3))
        steps = [
            view.generate(prompt="a cat", seed=1, **options)[0].provenance["request"]["steps"]
            for options in ({}, {"steps": 2})
        ]
        assert steps == [3, 2]

    @pytest.mark.parametrize(
        ("defaults", "says"),
        [
            (
                {"size": 64},
                "adapter 'quick': defaults: 'size' is none of guidance, sampler, schedule",
            ),
            ({"steps": 0}, "adapter 'quick': defaults: .*steps"),
        ],
    )
    def test_an_impossible_default_is_an_error(self, tiny, defaults, says):
        with pytest.raises(ModelFileError, match=says):
            tiny.with_adapter(self.lora(tiny, **defaults))
