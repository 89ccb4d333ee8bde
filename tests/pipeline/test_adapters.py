"""Views with adapters: they share all weights, and the pipeline stays as it is."""

import hashlib
import json
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latelier import export_model
from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.component import new_component
from latelier.checkpoints.manifests import TrainedOn
from latelier.contracts.errors import (
    CompatibilityError,
    InvalidConfigError,
    InvalidInputError,
    LatelierError,
    ModelFileError,
    UnknownNameError,
)
from latelier.denoisers.adapter import ATTENTION_ID, AttentionAdapter, create_adapter
from latelier.denoisers.configs import AttentionAdapterConfig, ProjectionConfig
from latelier.kernel.atelier import Atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.trust.policy import Policy
from latelier.nn.stored_weights import find_compute_dtype
from latelier.pipeline import load
from latelier.pipeline.replay.record import read_client_record
from latelier.pipeline.replay.replay import compare, replay

PROMPT = "a red cat in a meadow"
RED, BLUE = [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]


def adapter_of(pipeline, name="palette", seed=0, width=3):
    """An adapter with random weights everywhere, for vectors of width 3."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        module = create_adapter(pipeline.denoiser, width, ProjectionConfig(width=16))
        for weights in module.parameters():
            if not weights.any():
                weights.normal_(std=0.3)
    conditioner = new_component(
        "conditioner", "embedding", {"width": width, "max_vectors": 4}, pipeline.atelier
    )
    conditioner.module.eval()
    component = adapter_component(ATTENTION_ID, module.eval().requires_grad_(False))
    trained_on = TrainedOn(
        model="tiny", denoiser="latelier/unet", config_sha256="0", process="rectified_flow"
    )
    return LoadedAdapter(
        name,
        component,
        conditioner,
        "of colours",
        trained_on=trained_on,
        card={"licence": "CC0"},
    )


@pytest.fixture(scope="module")
def palette(tiny):
    return adapter_of(tiny)


@pytest.fixture(scope="module")
def folder(palette, tmp_path_factory):
    path = tmp_path_factory.mktemp("adapters") / "palette"
    path.mkdir()
    save_adapter(palette, {}, path)
    return path


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the saved adapter that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def edited(folder, change, file="adapter.json"):
    path = folder / file
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return folder


def renamed(manifest, name):
    """Call the adapter of a manifest, and its input, something else."""
    manifest["adapters"][name] = manifest["adapters"].pop("palette")
    manifest["inputs"].pop("palette")
    manifest["inputs"][name] = [name]


def pixels(pipeline, **keywords):
    made = pipeline.generate(**{"prompt": PROMPT, "seed": 3, **keywords})
    return [picture.image.tobytes() for picture in made]


def test_a_view_has_the_input_of_its_adapter(tiny, folder):
    view = tiny.with_adapter(folder)
    assert list(view.inputs) == [*tiny.inputs, "palette"]
    assert view.conditioners["palette"].config.width == 3
    assert "vectors" in str(view.input_schemas()["palette"])
    plain, red, blue = pixels(tiny), pixels(view, palette=RED), pixels(view, palette=BLUE)
    assert len({plain[0], red[0], blue[0]}) == 3
    assert pixels(view, palette=RED) == red


def test_the_pipeline_is_not_changed(tiny, folder):
    before = {n: t.clone() for n, t in tiny.denoiser.state_dict().items()}
    inputs, plain = dict(tiny.inputs), pixels(tiny)
    view = tiny.with_adapter(folder)
    pixels(view, palette=RED)
    assert tiny.inputs == inputs
    assert not tiny.adapters
    assert pixels(tiny) == plain
    after = tiny.denoiser.state_dict()
    assert all(torch.equal(after[n], before[n]) for n in before)
    with pytest.raises(UnknownNameError, match="no input or option 'palette'"):
        tiny.generate(prompt=PROMPT, palette=RED)


def test_a_view_shares_all_weights(tiny, folder):
    view = tiny.with_adapter(folder, 0.5)
    for place, component in tiny.components().items():
        assert view.components()[place].module is component.module
    assert view.to("cpu", "float32").components().keys() == view.components().keys()


@pytest.mark.parametrize("guidance", [1.0, 3.0, {"name": "pag", "scale": 2.0}])
def test_an_unused_adapter_or_scale_0_gives_the_bits_of_no_adapter(tiny, folder, guidance):
    plain = pixels(tiny, guidance=guidance)
    assert pixels(tiny.with_adapter(folder), guidance=guidance) == plain
    assert pixels(tiny.with_adapter(folder, 0), guidance=guidance, palette=RED) == plain
    assert pixels(tiny.with_adapter(folder), guidance=guidance, palette=RED) != plain


def test_the_scale_controls_the_strength(tiny, folder):
    def latents(scale):
        view = tiny.with_adapter(folder, scale)
        denoise = view.denoise_fn(prompt=PROMPT, palette=RED, guidance=1.0)
        x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            return denoise(x, 0.7)

    none, some, whole = (latents(scale) for scale in (0, 0.05, 1.0))
    assert 0 < (some - none).norm() < (whole - none).norm()


def test_a_view_has_other_scales(tiny, folder):
    view = tiny.with_adapter(folder)
    other = view.with_adapter_scales({"palette": 0.5})
    assert pixels(other, palette=RED) == pixels(tiny.with_adapter(folder, 0.5), palette=RED)
    assert view.adapters["palette"].strength.scale == 1
    [picture] = other.generate(prompt=PROMPT, palette=RED)
    assert picture.provenance["adapters"]["palette"]["scale"] == 0.5
    with pytest.raises(UnknownNameError, match=r"no adapter 'pallette'\. Did"):
        view.with_adapter_scales({"pallette": 1})
    for scale in (-1, float("nan"), "1", True):
        with pytest.raises(InvalidInputError, match="the scale of an adapter is"):
            view.with_adapter_scales({"palette": scale})


def test_guidance_uses_the_null_part_of_its_conditioner(tiny, folder):
    """Of an image's vector zeros, as IP-Adapter has it; so an input of zeros is the null part."""
    view = tiny.with_adapter(folder)
    guided = pixels(view, palette=RED, guidance=4.0)
    assert pixels(view, palette=RED, guidance=4.0, negative={"palette": [[0.0] * 3]}) == guided
    assert pixels(view, palette=RED, guidance=4.0, negative={"palette": BLUE}) != guided


def test_guidance_can_scale_it_separately(tiny, folder):
    view = tiny.with_adapter(folder)
    rules = [{"name": "per_condition", "scales": {"text": 2.0, "palette": s}} for s in (1.0, 3.0)]
    one, other = (pixels(view, palette=RED, guidance=rule) for rule in rules)
    assert one != other


def test_views_can_be_nested(tiny, folder, palette):
    both = tiny.with_adapter(folder).with_adapter(palette, 0.5, as_="accents")
    assert list(both.adapters) == ["palette", "accents"]
    alone = pixels(tiny.with_adapter(folder), palette=RED)
    assert pixels(both, palette=RED) == alone
    assert pixels(both, palette=RED, accents=BLUE) != alone


def test_each_row_has_its_own_input(tiny, folder):
    view = tiny.with_adapter(folder)
    together = view.generate(prompt=PROMPT, palette=[RED, BLUE], seed=3)
    for row, (picture, colours) in enumerate(zip(together, (RED, BLUE), strict=True)):
        alone = view.generate(prompt=PROMPT, palette=colours, seed=3 + row)[0]
        pair = (torch.tensor(list(each.image.tobytes())) for each in (picture, alone))
        one, other = pair
        assert (one - other).abs().max() <= 2


def test_windows_use_it(tiny, folder):
    view = tiny.with_adapter(folder)
    keywords = {"size": (32, 16), "window": 16, "palette": RED}
    assert pixels(view, **keywords) != pixels(view, **{**keywords, "palette": BLUE})
    plain = pixels(tiny, size=(32, 16), window=16)
    assert pixels(tiny.with_adapter(folder, 0), **keywords) == plain


def test_threads_with_different_adapters_share_one_pipeline(tiny):
    views = [tiny, *(tiny.with_adapter(adapter_of(tiny, seed=k)) for k in range(3))]

    def made(k):
        view = views[k % 4]
        return pixels(view, **({"palette": RED} if view.adapters else {}))

    expected = [made(k) for k in range(4)]
    assert len({each[0] for each in expected}) == 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(made, range(12))) == [expected[k % 4] for k in range(12)]


class TestSaving:
    def test_a_saved_adapter_gives_the_same_bits(self, tiny, folder, palette, tmp_path):
        view = tiny.with_adapter(folder)
        assert pixels(view, palette=RED) == pixels(tiny.with_adapter(palette), palette=RED)
        (tmp_path / "again").mkdir()
        save_adapter(view.adapters["palette"].loaded, {}, tmp_path / "again")
        for path in folder.iterdir():
            assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()

    def test_a_saved_view_gives_the_same_bits(self, tiny, folder, palette, tmp_path, built_ins):
        view = tiny.with_adapter(folder, 0.6).with_adapter(palette, 0.3, as_="accents")
        view.save(tmp_path)
        loaded = load(tmp_path, "cpu", atelier=built_ins)
        keywords = {"palette": RED, "accents": BLUE}
        assert pixels(loaded, **keywords) == pixels(view, **keywords)
        assert pixels(loaded) == pixels(tiny)
        assert {name: each.strength.scale for name, each in loaded.adapters.items()} == {
            "palette": 0.6,
            "accents": 0.3,
        }
        assert loaded.adapters["palette"].loaded.card == {"licence": "CC0"}

    def test_a_saved_view_can_be_moved(self, tiny, folder):
        view = tiny.with_adapter(folder).to(dtype="bfloat16")
        adapter = view.adapters["palette"].loaded.adapter
        assert find_compute_dtype(adapter.module) == torch.bfloat16
        assert len(pixels(view, palette=RED)) == 1
        half = tiny.to(dtype="bfloat16").with_adapter(folder)
        assert pixels(half, palette=RED) == pixels(view, palette=RED)

    def test_an_export_reports_that_it_is_omitted(
        self, compose_tiny, tiny_changes, folder, tmp_path, built_ins
    ):
        parts = tiny_changes()
        exportable = compose_tiny(
            process={"kind": "vp"},
            denoiser=("unet", {**parts["denoiser"][1], "vectors": {}}),
            conditioners={"text": parts["conditioners"]["text"]},
            inputs={"prompt": "text"},
        )
        exportable.with_adapter(folder).save(tmp_path / "view")
        report = export_model(tmp_path / "view", tmp_path / "theirs", atelier=built_ins)
        assert "the adapter 'palette' was left out" in report.notes


class TestProvenance:
    @pytest.fixture
    def saved(self, tiny, tmp_path, built_ins):
        tiny.save(tmp_path / "model")
        return load(tmp_path / "model", "cpu", atelier=built_ins)

    def test_names_the_adapter(self, saved, folder):
        view = saved.with_adapter(folder, 0.7)
        about = view.generate(prompt=PROMPT, palette=RED)[0].provenance
        assert about["adapters"] == {
            "palette": {
                "source": str(folder),
                "version": None,
                "scale": 0.7,
                "start": 0.0,
                "end": 1.0,
                "trained_on": {
                    "model": "tiny",
                    "denoiser": "latelier/unet",
                    "config_sha256": "0",
                    "weights_sha256": None,
                    "process": "rectified_flow",
                },
            }
        }
        stored = json.loads((folder / "adapter.json").read_text())
        recorded = about["components"]["adapters.palette"]["weights_sha256"]
        assert recorded == stored["adapter"]["weights"]["sha256"]
        conditioner = about["components"]["adapters.palette.conditioner"]
        assert conditioner["id"] == "latelier/embedding"
        assert about["request"]["inputs"]["palette"] == [[RED[0]]]

    def test_an_unused_adapter_is_not_recorded(self, saved, folder):
        about = saved.with_adapter(folder).generate(prompt=PROMPT)[0].provenance
        assert about["adapters"] == {}
        assert not any(place.startswith("adapters") for place in about["components"])

    @pytest.mark.parametrize("inside", [False, True])
    def test_a_picture_is_replayed(self, saved, folder, palette, tmp_path, built_ins, inside):
        view = saved.with_adapter(folder, 0.7).with_adapter(folder, 0.2, as_="accents")
        if inside:
            view.save(tmp_path / "view")
            view = load(tmp_path / "view", "cpu", atelier=built_ins)
        path = tmp_path / "picture.png"
        view.generate(prompt=PROMPT, accents=BLUE, palette=RED, seed=4)[0].save(path)
        report = replay(path, atelier=built_ins)
        assert report.verdict == "identical"
        assert not report.differences
        about = view.generate(prompt=PROMPT, accents=BLUE, palette=RED)[0].provenance
        assert report.picture.provenance["adapters"] == about["adapters"]
        view.generate(prompt=PROMPT, accents=BLUE, seed=4)[0].save(path)
        assert replay(path, atelier=built_ins).verdict == "identical"

    def test_other_weights_are_reported(self, saved, copy, palette, tiny, tmp_path, built_ins):
        path = tmp_path / "picture.png"
        saved.with_adapter(copy).generate(prompt=PROMPT, palette=RED, seed=4)[0].save(path)
        save_adapter(adapter_of(tiny, seed=9), {}, copy)
        with pytest.raises(ModelFileError, match=r"adapters.palette: the weights had the SHA-256"):
            replay(path, atelier=built_ins)

    def test_a_missing_adapter_is_reported(self, saved, copy, tmp_path, built_ins):
        path = tmp_path / "picture.png"
        saved.with_adapter(copy).generate(prompt=PROMPT, palette=RED, seed=4)[0].save(path)
        shutil.rmtree(copy)
        message = f"its adapter 'palette' is neither at '{copy}' nor .* --adapter palette=PATH"
        with pytest.raises(UnknownNameError, match=message):
            replay(path, atelier=built_ins)

    def test_a_moved_adapter_is_found_beside_the_picture_or_named(
        self, saved, copy, tmp_path, built_ins
    ):
        path = tmp_path / "made" / "picture.png"
        path.parent.mkdir()
        saved.with_adapter(copy, 0.7).generate(prompt=PROMPT, palette=RED, seed=4)[0].save(path)
        copy.rename(tmp_path / "elsewhere")
        moved = {"palette": tmp_path / "elsewhere"}
        assert replay(path, adapters=moved, atelier=built_ins).verdict == "identical"
        with pytest.raises(UnknownNameError, match=r"no adapter 'pallete'\. Did you mean 'pal"):
            replay(path, adapters={"pallete": copy}, atelier=built_ins)
        (tmp_path / "elsewhere").rename(path.parent / copy.name)
        assert replay(path, atelier=built_ins).verdict == "identical"

    def test_a_picture_records_the_path_as_it_was_given(
        self, saved, copy, tmp_path, built_ins, monkeypatch
    ):
        monkeypatch.chdir(copy.parent)
        for given in (
            copy.name,
            Path(copy.name),
            f"./{copy.name}",
            Path(copy.name, "adapter.json"),
        ):
            [picture] = saved.with_adapter(given).generate(prompt=PROMPT, palette=RED, seed=4)
            assert picture.provenance["adapters"]["palette"]["source"] == f"./{copy.name}"
        picture.save(tmp_path / "picture.png")
        assert replay(tmp_path / "picture.png", atelier=built_ins).verdict == "identical"

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"scale": -1.0}, "'palette': scale: .* a number, 0 or more, not -1.0"),
            ({"start": 0.9, "end": 0.5}, "palette': start: .* not 0.9 to 0.5"),
        ],
    )
    @pytest.mark.parametrize("inside", [False, True])
    def test_an_impossible_strength_names_the_picture_and_the_adapter(
        self, saved, folder, tmp_path, built_ins, change, says, inside
    ):
        view = saved.with_adapter(folder)
        if inside:
            view.save(tmp_path / "view")
            view = load(tmp_path / "view", "cpu", atelier=built_ins)
        [picture] = view.generate(prompt=PROMPT, palette=RED)
        picture.provenance["adapters"]["palette"] |= change
        picture.save(tmp_path / "picture.png")
        with pytest.raises(InvalidInputError, match=rf"picture\.png: .*{says}"):
            replay(tmp_path / "picture.png", atelier=built_ins)
        view.save(tmp_path / "edited")
        edited(
            tmp_path / "edited",
            lambda values: values["adapters"]["palette"].update(change),
            "latelier.json",
        )
        with pytest.raises(ModelFileError, match=rf"edited: adapter .*{says}"):
            load(tmp_path / "edited", "cpu", atelier=built_ins)

    def test_another_strength_is_reported(self, saved, folder):
        [picture] = saved.with_adapter(folder, 0.7, end=0.5).generate(prompt=PROMPT, palette=RED)
        image, record = read_client_record(picture.to_bytes())
        same, other = saved.with_adapter(folder, 0.7, end=0.5), saved.with_adapter(folder, 0.7)
        assert compare(image, record, same, picture).differences == ()
        assert compare(image, record, other, picture).differences == (
            "adapters.palette: had scale 0.7 in 0..0.5 of the steps, has scale 0.7 in 0..1 of the "
            "steps",
        )

    def test_an_unsaved_adapter_is_reported(self, saved, palette, tmp_path, built_ins):
        path = tmp_path / "picture.png"
        saved.with_adapter(palette).generate(prompt=PROMPT, palette=RED)[0].save(path)
        with pytest.raises(InvalidInputError, match="its adapter 'palette' had not been saved"):
            replay(path, atelier=built_ins)


class TestRegistered:
    @pytest.fixture
    def publishing(self, folder, tmp_path, monkeypatch):
        """An atelier in which a distribution has registered the adapter."""
        package = tmp_path / "site" / "some_palette"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise SystemExit('imported')")
        shutil.copytree(folder, package / "adapter")
        monkeypatch.syspath_prepend(tmp_path / "site")

        class Plugin:
            @hookimpl
            def latelier_register(self, registrar):
                registrar.adapter("palette", folder="some_palette:adapter")

        atelier = Atelier(policy=Policy(allow=frozenset()))
        atelier.register(Plugin(), "some-palette", "1.2")
        return atelier

    @pytest.mark.parametrize("name", ["palette", "some-palette/palette"])
    def test_it_is_found_by_name(self, tiny, publishing, name):
        view = replace(tiny, atelier=publishing).with_adapter(name)
        about = view.generate(prompt=PROMPT, palette=RED)[0].provenance["adapters"]["palette"]
        assert (about["source"], about["version"]) == ("some-palette/palette", "1.2")

    def test_its_plugin_is_recorded(self, tiny, publishing):
        view = replace(tiny, atelier=publishing).with_adapter("palette")
        plugins = view.generate(prompt=PROMPT, palette=RED)[0].provenance["plugins"]
        assert plugins["some-palette"]["version"] == "1.2"
        assert plugins["some-palette"]["parts"] == ["adapters.palette"]
        assert view.generate(prompt=PROMPT)[0].provenance["plugins"] == {}

    def test_a_saved_adapter_does_not_need_its_plugin(self, tiny, publishing, tmp_path, built_ins):
        replace(tiny, atelier=publishing).with_adapter("palette").save(tmp_path / "view")
        loaded = load(tmp_path / "view", "cpu", atelier=built_ins)
        picture = loaded.generate(prompt=PROMPT, palette=RED, seed=4)[0]
        assert picture.provenance["plugins"] == {}
        assert picture.provenance["adapters"]["palette"]["source"] == "some-palette/palette"
        picture.save(tmp_path / "picture.png")
        assert replay(tmp_path / "picture.png", atelier=built_ins).verdict == "identical"

    def test_an_unregistered_adapter_is_an_error(self, tiny, publishing):
        with pytest.raises(UnknownNameError, match=r"no adapter 'pallete'. Did you mean 'palette'"):
            replace(tiny, atelier=publishing).with_adapter("pallete")

    def test_an_adapter_of_a_missing_plugin_is_an_error(self, tiny, publishing):
        with pytest.raises(UnknownNameError, match="pip install latelier-sketch"):
            replace(tiny, atelier=publishing).with_adapter("latelier-sketch/sketch")


class TestFaults:
    def test_a_denoiser_of_another_width_is_refused(self, compose_tiny, tiny_changes, folder):
        changes = tiny_changes()["denoiser"][1] | {"model_channels": 32}
        other = compose_tiny(denoiser=("unet", changes))
        with pytest.raises(CompatibilityError, match=r"adapter 'palette' is for another.*of width"):
            other.with_adapter(folder)

    def test_incompatibility_is_found_before_weights_are_read(
        self, compose_tiny, tiny_changes, copy
    ):
        (copy / "adapter.safetensors").unlink()
        changes = tiny_changes()["denoiser"][1] | {"channel_mult": (1, 2, 2)}
        other = compose_tiny(denoiser=("unet", changes))
        with pytest.raises(CompatibilityError, match="which this denoiser does not have"):
            other.with_adapter(copy)

    def test_a_denoiser_without_cross_attention_is_refused(
        self, compose_tiny, tiny_changes, folder
    ):
        changes = tiny_changes()
        denoiser = changes["denoiser"][1] | {"context_dim": None, "streams": {}}
        conditioners = {"label": changes["conditioners"]["label"]}
        other = compose_tiny(
            denoiser=("unet", denoiser), conditioners=conditioners, inputs={"label": "label"}
        )
        with pytest.raises(CompatibilityError, match="this denoiser has none"):
            other.with_adapter(folder)

    def test_another_base_of_the_same_shapes_is_accepted(self, compose_tiny, folder):
        other = compose_tiny(process={"kind": "vp"})
        assert len(pixels(other.with_adapter(folder), palette=RED)) == 1

    @pytest.mark.parametrize("name", ["text", "label", "prompt"])
    def test_a_used_name_is_refused(self, tiny, folder, name):
        with pytest.raises(CompatibilityError, match=rf"stream '{name}'; give .*as_"):
            tiny.with_adapter(folder, as_=name)

    def test_the_same_adapter_twice_is_refused(self, tiny, folder):
        with pytest.raises(CompatibilityError, match="already has an adapter 'palette'"):
            tiny.with_adapter(folder).with_adapter(folder)

    @pytest.mark.parametrize("name", ["seed", "a b", "", "a\nb", 5])
    def test_an_invalid_name_is_refused(self, tiny, folder, name):
        with pytest.raises(InvalidInputError, match="an adapter cannot be called"):
            tiny.with_adapter(folder, as_=name)

    @pytest.mark.parametrize("scale", [-1, float("nan"), float("inf"), "1", True, None])
    def test_an_invalid_scale_is_refused(self, tiny, folder, scale):
        with pytest.raises(InvalidInputError, match="scale: the scale of an adapter is a"):
            tiny.with_adapter(folder, scale)

    def test_a_name_such_as_self_is_allowed(self, tiny, folder):
        view = tiny.with_adapter(folder, as_="self")
        request = {"prompt": PROMPT, "self": RED, "seed": 3}
        made = view.generate(**request)[0].image.tobytes()
        assert made == pixels(tiny.with_adapter(folder), palette=RED)[0]
        *_, last = view.stream(**request)
        assert last.pictures[0].image.tobytes() == made
        assert view.denoise_fn(prompt=PROMPT, self=RED)

    @pytest.mark.parametrize("adapter", [None, 5, b"palette", ["palette"]])
    def test_an_invalid_adapter_argument_is_refused(self, tiny, adapter):
        with pytest.raises(InvalidInputError, match="is a registered name or a folder, not"):
            tiny.with_adapter(adapter)

    @pytest.mark.parametrize("name", ["nowhere", "/nowhere", "~nobody-at-all/x"])
    def test_an_unknown_name_is_an_error(self, tiny, name):
        with pytest.raises(UnknownNameError, match=r"no adapter '.*'"):
            tiny.with_adapter(name)

    @pytest.mark.parametrize("path", ["nowhere", "nowhere/adapter.json"])
    def test_a_missing_folder_is_an_error(self, tiny, tmp_path, path):
        with pytest.raises(ModelFileError, match="nowhere: file or folder not found"):
            tiny.with_adapter(tmp_path / path)

    def test_a_folder_without_an_adapter_is_an_error(self, tiny, tmp_path):
        with pytest.raises(ModelFileError, match=r"holds no adapter.json"):
            tiny.with_adapter(tmp_path)

    def test_a_file_is_an_error(self, tiny, folder):
        with pytest.raises(ModelFileError, match="an adapter is named by its folder"):
            tiny.with_adapter(folder / "adapter.safetensors")
        assert tiny.with_adapter(folder / "adapter.json").adapters

    def test_a_changed_weight_is_an_error(self, tiny, copy):
        path = copy / "adapter.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
        with pytest.raises(ModelFileError, match="its SHA-256 is"):
            tiny.with_adapter(copy)

    def test_a_missing_file_is_an_error(self, tiny, copy):
        (copy / "adapter.safetensors").unlink()
        with pytest.raises(ModelFileError, match=r"adapter.safetensors: cannot be read"):
            tiny.with_adapter(copy)

    @pytest.mark.parametrize("path", ["../adapter.safetensors", "/etc/passwd", "a/../../b"])
    def test_files_outside_the_folder_are_refused(self, tiny, copy, path):
        edited(copy, lambda values: values["adapter"]["weights"].update(path=path))
        with pytest.raises(ModelFileError, match="outside the folder"):
            tiny.with_adapter(copy)

    def test_weights_of_another_configuration_are_refused(self, tiny, copy):
        edited(copy, lambda values: values["adapter"]["config"].update(projection=None))
        with pytest.raises(ModelFileError, match="do not fit this configuration"):
            tiny.with_adapter(copy)

    @pytest.mark.parametrize("field", ["width", "tokens"])
    def test_absurd_dimensions_are_refused(self, tiny, copy, field):
        edited(
            copy, lambda values: values["adapter"]["config"]["projection"].update({field: 10**19})
        )
        with pytest.raises(InvalidConfigError, match=f"'projection.{field}'.*less than or"):
            tiny.with_adapter(copy)

    def test_a_conditioner_of_another_width_is_refused(self, tiny, copy):
        edited(copy, lambda values: values["conditioner"]["config"].update(width=4))
        with pytest.raises(CompatibilityError, match=r"one stream of width 3, got a stream of 4"):
            tiny.with_adapter(copy)

    def test_missing_weights_are_an_error(self, tiny, copy):
        edited(copy, lambda values: values["adapter"].update(weights=None))
        with pytest.raises(ModelFileError, match="names no weights"):
            tiny.with_adapter(copy)

    def test_a_later_format_is_an_error(self, tiny, copy):
        edited(copy, lambda values: values.update(format=2))
        with pytest.raises(ModelFileError, match="format 2 is of a later latelier"):
            tiny.with_adapter(copy)

    def test_an_unknown_kind_is_an_error(self, tiny, copy):
        edited(copy, lambda values: values["adapter"].update(id="latelier-hum/hum"))
        with pytest.raises(ModelFileError, match="needs the adapter kind 'latelier-hum/hum': pip"):
            tiny.with_adapter(copy)

    def test_a_missing_conditioner_is_an_error(self, tiny, copy):
        edited(copy, lambda values: values["conditioner"].update(id="latelier-hum/hum"))
        with pytest.raises(ModelFileError, match="pip install 'latelier-hum>="):
            tiny.with_adapter(copy)

    def test_invalid_json_is_an_error(self, tiny, copy):
        (copy / "adapter.json").write_text("{")
        with pytest.raises(ModelFileError, match=r"adapter.json: cannot be read as JSON"):
            tiny.with_adapter(copy)

    def test_pickles_are_not_read(self, tiny, copy):
        class Trap:
            def __reduce__(self):
                return (pytest.fail, ("it was run",))

        data = pickle.dumps(Trap())
        (copy / "adapter.safetensors").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        edited(copy, lambda values: values["adapter"]["weights"].update(sha256=digest))
        with pytest.raises(ModelFileError, match="not a safetensors file"):
            tiny.with_adapter(copy)

    def test_an_unsaved_adapter_for_another_denoiser_is_refused(self, tiny, palette):
        other = adapter_component(
            ATTENTION_ID, AttentionAdapter(AttentionAdapterConfig(width=3, layers={"a.b": 4}))
        )
        with pytest.raises(CompatibilityError, match=r"has the layers 'a.b'"):
            tiny.with_adapter(replace(palette, adapter=other))


def test_an_incompatible_saved_view_is_an_error(tiny, folder, tmp_path, built_ins):
    tiny.with_adapter(folder).save(tmp_path)
    path = tmp_path / "latelier.json"
    values = json.loads(path.read_text())
    layers = values["adapters"]["palette"]["adapter"]["config"]["layers"]
    layers[next(iter(layers))] = 99
    path.write_text(json.dumps(values))
    with pytest.raises(CompatibilityError, match="of width 99, which is 32 here"):
        load(tmp_path, "cpu", atelier=built_ins)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda values: values["inputs"].pop("palette"),
            "needs an input of the same name for itself",
        ),
        (
            lambda values: values["inputs"].update(palette=["text"]),
            "needs an input of the same name for itself",
        ),
        (lambda values: renamed(values, "text"), "needs an input of the same name for itself"),
        (lambda values: renamed(values, "seed"), "a keyword has that name"),
        (
            lambda values: values["inputs"].update(prompt=["text", "palette"]),
            "'palette' is fed by 2 public inputs",
        ),
        (lambda values: values["inputs"].update(other=[]), "'other' feeds no conditioner"),
        (lambda values: values["inputs"].update(other=["sound"]), "'sound', which is not a cond"),
        (
            lambda values: values["adapters"]["palette"].update(scale=float("inf")),
            "'adapters.palette.scale': Input should be a finite number",
        ),
    ],
    ids=[
        "no input",
        "another's input",
        "the name of a conditioner",
        "the name of a keyword",
        "two inputs",
        "an input of nothing",
        "an input of what there is not",
        "scale",
    ],
)
def test_an_inconsistent_manifest_is_an_error(tiny, folder, tmp_path, built_ins, change, says):
    tiny.with_adapter(folder).save(tmp_path)
    path = tmp_path / "latelier.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    with pytest.raises(LatelierError, match=says):
        load(tmp_path, "cpu", atelier=built_ins)


def test_an_adapter_is_not_a_model(folder, built_ins):
    with pytest.raises(ModelFileError, match="expected a model, found an adapter"):
        load(folder, "cpu", atelier=built_ins)
