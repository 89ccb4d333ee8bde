"""Importing checkpoints of CompVis: choices, refusals, and their messages."""

import json
import math
from copy import deepcopy
from itertools import pairwise
from math import cos, pi
from typing import Any

import pytest
import torch
import yaml

import latelier
from latelier.checkpoints.component import load_component
from latelier.checkpoints.importers.building import build_part
from latelier.checkpoints.importers.choosing import run_importer
from latelier.checkpoints.importers.compvis.importer import CompVis
from latelier.checkpoints.importers.compvis.process import process_of
from latelier.checkpoints.io.weights import read_weights, write_weights
from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidConfigError, InvalidInputError, ModelFileError
from latelier.conversion.importing import import_model
from latelier.diffusion.processes.betas import betas

FIRST_STAGE = {
    "target": "ldm.models.autoencoder.AutoencoderKL",
    "params": {
        "embed_dim": 4,
        "ddconfig": {
            "double_z": True,
            "z_channels": 4,
            "resolution": 32,
            "in_channels": 3,
            "out_ch": 3,
            "ch": 32,
            "ch_mult": [1, 2],
            "num_res_blocks": 1,
            "attn_resolutions": [16],
        },
        "lossconfig": {"target": "torch.nn.Identity"},
    },
}
CLASSES = {
    "target": "ldm.modules.encoders.modules.ClassEmbedder",
    "params": {"embed_dim": 16, "key": "class_label", "n_classes": 1001},
}


def config_of(**changes: Any) -> dict[str, Any]:
    """Return the YAML of a small class-conditional model; `unet` changes its UNet."""
    unet = {
        "image_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "attention_resolutions": [2],
        "num_res_blocks": 1,
        "channel_mult": [1, 2],
        "num_heads": 2,
        "use_spatial_transformer": True,
        "context_dim": 16,
        **changes.pop("unet", {}),
    }
    params = {
        "linear_start": 0.0015,
        "linear_end": 0.0195,
        "timesteps": 100,
        "image_size": 8,
        "conditioning_key": "crossattn",
        "unet_config": {"target": "ldm.modules.x.UNetModel", "params": unet},
        "first_stage_config": deepcopy(FIRST_STAGE),
        "cond_stage_config": deepcopy(CLASSES),
        **changes,
    }
    return {"model": {"target": "ldm.models.diffusion.ddpm.LatentDiffusion", "params": params}}


UNCONDITIONAL = {
    "cond_stage_config": "__is_unconditional__",
    "conditioning_key": None,
    "unet": {"use_spatial_transformer": False, "context_dim": None},
}


@pytest.fixture
def checkpoint(compvis_checkpoint, drawn):
    return lambda config: compvis_checkpoint(config, drawn)


@pytest.fixture
def read(given, checkpoint):
    """Read a configuration and its checkpoint, changed by a function."""

    def it(config, change=lambda tensors: None):
        tensors = checkpoint(config)
        change(tensors)
        return CompVis().read(given(config, tensors)), tensors

    return it


def test_a_checkpoint_with_a_yaml_is_imported(tmp_path, checkpoint, built_ins):
    config = config_of()
    tensors = checkpoint(config)
    write_weights(tmp_path / "model.safetensors", tensors)
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(config))
    stages: list[str] = []
    report = import_model(
        tmp_path / "model.safetensors", tmp_path / "out", on_stage=stages.append, atelier=built_ins
    )
    assert stages[-1] == "writing"
    assert (report.importer, report.standalone_kind) == ("latelier/compvis", None)
    assert report.components["conditioners.class_label"] == (
        "latelier/class_label",
        1001 * 16,
        "float32",
    )
    pipe = latelier.load(tmp_path / "out", device="cpu", atelier=built_ins)
    averaged = tensors["model_ema.diffusion_modelinput_blocks00weight"]
    assert torch.equal(pipe.denoiser.state_dict()["input_blocks.0.0.weight"], averaged)
    assert pipe.defaults.size == (16, 16)
    assert pipe.defaults.schedule.name == "compvis"
    assert pipe.process.prediction == "eps"
    (picture,) = pipe.generate(class_label=7, seed=1, steps=2)
    assert picture.image.size == (16, 16)


def test_a_folder_with_a_lightning_pickle_and_a_yaml_is_imported(tmp_path, checkpoint, built_ins):
    config, folder = config_of(), tmp_path / "in"
    folder.mkdir()
    tensors = checkpoint(config)
    torch.save({"state_dict": tensors, "epoch": 1}, folder / "last.ckpt")
    (folder / "project.yaml").write_text(yaml.safe_dump(config))
    import_model(folder, tmp_path / "out", atelier=built_ins)
    pipe = latelier.load(tmp_path / "out", device="cpu", atelier=built_ins)
    stored = tensors["first_stage_model.decoder.conv_out.bias"]
    assert torch.equal(pipe.first_stage.state_dict()["decoder.conv_out.bias"], stored)


def test_a_single_first_stage_becomes_a_component(tmp_path, compvis_autoencoder, drawn, built_ins):
    shapes = compvis_autoencoder(FIRST_STAGE["params"])
    tensors = {name: drawn(shape) for name, shape in shapes.items()}
    extra = {"loss.logvar": torch.zeros(()), "loss.discriminator.main.0.weight": torch.zeros(2, 2)}
    write_weights(tmp_path / "kl.ckpt", {**tensors, **extra})
    (tmp_path / "kl.yaml").write_text(yaml.safe_dump({"model": FIRST_STAGE}))
    report = import_model(tmp_path / "kl.ckpt", tmp_path / "out", atelier=built_ins)
    assert report.standalone_kind == "first_stage"
    component = load_component(tmp_path / "out", "first_stage", built_ins)
    state = component.module.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("use_ema", [True, False])
def test_ema_weights_of_a_single_first_stage_are_read(compvis_autoencoder, drawn, given, use_ema):
    node = deepcopy(FIRST_STAGE)
    node["target"] = "taming.models.vqgan.VQModel"
    node["params"]["ddconfig"]["double_z"] = False
    node["params"] |= {"n_embed": 16, "use_ema": use_ema}
    names = compvis_autoencoder(node["params"])
    tensors = {name: drawn(shape) for name, shape in names.items()}
    tensors["loss.discriminator.main.0.weight"] = drawn((2, 2))
    for name in list(tensors):
        tensors[f"model_ema.{name.replace('.', '')}"] = drawn(tuple(tensors[name].shape))
    tensors["model_ema.decay"] = torch.tensor(0.9999)
    tensors["quantize.used"] = torch.arange(5)
    part = CompVis().read(given({"model": node}, tensors)).parts["first_stage"]
    wanted = tensors["model_ema.decoderconv_inweight" if use_ema else "decoder.conv_in.weight"]
    assert torch.equal(part.tensors["decoder.conv_in.weight"], wanted)
    assert part.tensors.keys() == names.keys()


def test_the_yaml_chooses_ema_or_plain_weights(read):
    for use_ema, prefix in ((True, "model_ema.diffusion_model"), (False, "model.diffusion_model.")):
        found, tensors = read(config_of(use_ema=use_ema))
        wanted = tensors.get(f"{prefix}out2bias", tensors.get(f"{prefix}out.2.bias"))
        assert torch.equal(found.parts["denoiser"].tensors["out.2.bias"], wanted)
    found, _ = read(config_of(), without("model_ema."))
    assert any("no averaged ones" in note for note in found.notes)


def without(*prefixes: str):
    def change(tensors):
        for name in [name for name in tensors if name.startswith(prefixes)]:
            del tensors[name]

    return change


def test_ema_weights_that_do_not_match_the_model_are_refused(read):
    with pytest.raises(ModelFileError, match=r"1 parameters without one \(out.2.bias\)"):
        read(config_of(), without("model_ema.diffusion_modelout2bias"))
    with pytest.raises(ModelFileError, match=r"1 averages of no parameter \(model_ema.stray\)"):
        read(config_of(), lambda tensors: tensors.update({"model_ema.stray": torch.ones(1)}))


def test_the_scale_factor_of_the_checkpoint_takes_precedence(read):
    found, _ = read(config_of(scale_by_std=True, scale_factor=0.5))
    assert found.parts["first_stage"].config["scale_factor"] == 0.25
    found, _ = read(config_of(scale_factor=0.5))
    assert found.parts["first_stage"].config["scale_factor"] == 0.5


def test_a_first_stage_has_a_shift_and_no_convolutions_around_its_latents(read):
    config = config_of(scale_factor=0.5)
    fields = {"shift_factor": 0.1159, "use_quant_conv": False, "use_post_quant_conv": False}
    config["model"]["params"]["first_stage_config"]["params"] |= fields
    drop = without("first_stage_model.quant_conv", "first_stage_model.post_quant_conv")
    found, _ = read(config, drop)
    first_stage = found.parts["first_stage"].config
    assert {name: first_stage[name] for name in fields} == fields
    assert first_stage["scale_factor"] == 0.5
    config["model"]["params"]["first_stage_config"]["params"]["scale_factor"] = 0.3611
    found, _ = read(config, drop)
    assert found.parts["first_stage"].config["scale_factor"] == 0.3611


def test_the_schedule_is_checked_against_the_checkpoint(read):
    def shifted(tensors):
        tensors["betas"] = tensors["betas"] * 1.01

    with pytest.raises(ModelFileError, match=r"has 100 steps, from 0\.0015\d+ to .* the YAML has"):
        read(config_of(), shifted)
    found, _ = read(config_of(beta_schedule="linear"), without("betas"))
    assert found.process["beta_schedule"] == "scaled_linear"


LINE = [0.0015 + 0.018 * k / 99 for k in range(100)]
ROOTS = [0.0015**0.5 + (0.0195**0.5 - 0.0015**0.5) * k / 99 for k in range(100)]
ABAR = [cos((k / 100 + 0.008) / 1.008 * pi / 2) ** 2 for k in range(101)]
TABLES = {
    ("linear", "scaled_linear"): [root**2 for root in ROOTS],
    ("sqrt_linear", "linear"): LINE,
    ("sqrt", "sqrt"): [beta**0.5 for beta in LINE],
    ("cosine", "cosine"): [min(1 - after / before, 0.999) for before, after in pairwise(ABAR)],
}


@pytest.mark.parametrize(("theirs", "ours"), TABLES)
def test_schedules_are_read_by_their_original_names(read, theirs, ours):
    def holding(table):
        return lambda tensors: tensors.update(betas=torch.tensor(table))

    found, _ = read(config_of(beta_schedule=theirs), holding(TABLES[theirs, ours]))
    assert found.process["beta_schedule"] == ours
    for other, table in TABLES.items():
        if other != (theirs, ours):
            with pytest.raises(ModelFileError, match="the noise schedule of the weights has 100"):
                read(config_of(beta_schedule=theirs), holding(table))


@pytest.mark.parametrize(
    ("rows", "options", "classes", "null"),
    [(1001, {}, 1000, True), (1000, {}, 1000, False), (11, {"null_class": True}, 10, True)],
)
def test_null_class_reserves_the_last_row(given, checkpoint, rows, options, classes, null):
    config = config_of()
    config["model"]["params"]["cond_stage_config"]["params"]["n_classes"] = rows
    source = given(config, checkpoint(config))
    source.options.update(options)
    part = CompVis().read(source).parts["conditioners.class_label"]
    assert (part.config["num_classes"], part.config["null_class"]) == (classes, null)


def test_a_non_boolean_option_is_refused(given, checkpoint):
    source = given(config_of(), checkpoint(config_of()))
    source.options["null_class"] = "False"
    with pytest.raises(InvalidConfigError, match="expected true or false, got 'False'"):
        CompVis().read(source)


def test_an_incomplete_yaml_is_refused(given, checkpoint):
    tensors = checkpoint(config_of())
    for place, key in (("unet_config", "in_channels"), ("first_stage_config", "embed_dim")):
        config = config_of()
        del config["model"]["params"][place]["params"][key]
        with pytest.raises(ModelFileError, match=rf"its configuration \(it lacks '{key}'\)"):
            run_importer("latelier/compvis", CompVis(), given(config, tensors))
    config = config_of()
    del config["model"]["params"]["unet_config"]
    with pytest.raises(InvalidConfigError, match=r"'LatentDiffusion' is.*expected a unet_config"):
        CompVis().read(given(config, tensors))


def test_missing_unexpected_and_misshapen_tensors_are_named(read, built_ins):
    def damaged(tensors):
        first = [name for name in sorted(tensors) if name.startswith("first_stage_model.encoder")]
        for name in first[:12]:
            del tensors[name]
        tensors["first_stage_model.new"] = torch.ones(1)
        tensors["first_stage_model.quant_conv.bias"] = torch.ones(3)

    found, _ = read(config_of(), damaged)
    calls = []

    def published(place, shapes):
        calls.append((place, shapes["new"]))
        return ["kl-f9"]

    with pytest.raises(ModelFileError) as error:
        build_part("first_stage", found.parts["first_stage"], built_ins, published)
    message = str(error.value)
    assert message.count("encoder.") == 10
    assert "12 missing (encoder.conv_in.bias, encoder.conv_in.weight" in message
    assert "1 unexpected (new)" in message
    assert "1 misshapen (quant_conv.bias is (3), not (8))" in message
    assert message.endswith("The configuration of kl-f9 would fit")
    assert calls == [("first_stage", (1,))]


def test_unexpected_conditioner_weights_are_refused(read):
    config = config_of(cond_stage_config={"target": "torch.nn.Identity"})
    with pytest.raises(ModelFileError, match=r"1 unexpected \(cond_stage_model\.w\)"):
        read(config, lambda t: t.update({"cond_stage_model.w": t["betas"]}))


def test_unused_tensors_are_named(read):
    with pytest.raises(ModelFileError, match=r"2 unexpected \(control.a, control.b\)"):
        read(config_of(), lambda t: t.update({"control.b": t["betas"], "control.a": t["betas"]}))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"unet_config": {"target": "a.UNetModle", "params": {}}}, "'UNetModle'.*'UNetModel'"),
        ({"first_stage_config": {"target": "a.b.VQModle"}}, "'VQModle'.*Did you mean 'VQModel'"),
        ({"cond_stage_config": {"target": "os.system"}}, "class 'system', which is not supported"),
        ({"cond_stage_config": {"params": {}}}, "names no 'target' class"),
        ({"unet": {"model_chanels": 3}}, "unknown parameter 'model_chanels'"),
        ({"unet": {"dims": 3}}, "dims: 3; supported is 2"),
        ({"unet": {"in_channels": 9}}, "takes 9 channels; latents and conditions have 4"),
        ({"parameterization": "eps2"}, "parameterization 'eps2'"),
        ({"beta_schedule": "quad"}, "beta_schedule 'quad'"),
        ({"beta_schedule": "cosine", "cosine_s": 0.01}, "cosine_s: 0.01 is not supported"),
        ({"conditioning_key": "adm"}, "conditioning_key 'adm'"),
    ],
)
def test_unsupported_yaml_settings_are_refused(read, given, checkpoint, change, why):
    tensors = checkpoint(config_of())
    with pytest.raises(InvalidConfigError, match=why):
        CompVis().read(given(config_of(**change), tensors))


def test_an_unknown_model_class_is_read_by_its_parameters(given, checkpoint):
    config = config_of()
    config["model"]["target"] = "my.fork.EvenBetterDiffusion"
    found = CompVis().read(given(config, checkpoint(config_of())))
    assert "the model is a EvenBetterDiffusion" in found.notes
    with pytest.raises(InvalidConfigError, match=r"'Thing'.*expected a unet_config"):
        CompVis().read(given({"model": {"target": "a.Thing"}}, {}))


def test_classes_named_by_a_yaml_are_not_imported(tmp_path, built_ins):
    marker = tmp_path / "ran"
    (tmp_path / "w.ckpt").write_bytes(b"PK\x03\x04")
    (tmp_path / "w.yaml").write_text(f"model: !!python/object/apply:os.system ['touch {marker}']")
    with pytest.raises(ModelFileError, match=r"w\.yaml: cannot be read as YAML"):
        import_model(tmp_path / "w.ckpt", tmp_path / "out", atelier=built_ins)
    assert not marker.exists()


def test_a_file_that_holds_no_weights(tmp_path, built_ins):
    (tmp_path / "w.ckpt").write_text("not found")
    with pytest.raises(ModelFileError, match=r"w\.ckpt: is neither a safetensors file"):
        import_model(tmp_path / "w.ckpt", tmp_path / "out", atelier=built_ins)
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(config_of()))
    with pytest.raises(ModelFileError, match="file nor a PyTorch checkpoint"):
        import_model(tmp_path / "w.ckpt", tmp_path / "out", atelier=built_ins)


def test_weights_keep_the_precision_of_the_file(read, built_ins):
    def narrow(tensors):
        for name, tensor in tensors.items():
            if name.startswith("first_stage_model."):
                tensors[name] = tensor.half()

    found, tensors = read(config_of(), narrow)
    state = build_part("first_stage", found.parts["first_stage"], built_ins).module.state_dict()
    stored = tensors["first_stage_model.decoder.conv_in.weight"]
    assert state["decoder.conv_in.weight"].dtype == torch.float16
    assert torch.equal(state["decoder.conv_in.weight"], stored)


def test_the_folder_of_an_import_has_the_precision_of_the_file(tmp_path, checkpoint, built_ins):
    path = tmp_path / "half.safetensors"
    tensors = checkpoint(config_of())
    write_weights(path, {k: t.half() if t.is_floating_point() else t for k, t in tensors.items()})
    path.with_suffix(".yaml").write_text(yaml.safe_dump(config_of()))
    import_model(path, tmp_path / "out", atelier=built_ins)
    for file in (tmp_path / "out").glob("*.safetensors"):
        dtypes = {each.dtype for each in read_weights(file).values() if each.is_floating_point()}
        assert dtypes == {torch.float16}, file.name


def test_attention_stored_as_linear_layers_is_imported(read, built_ins):
    def flat(tensors):
        for name, tensor in tensors.items():
            if ".attn_1." in name and tensor.ndim == 4:
                tensors[name] = tensor[:, :, 0, 0]

    found, _ = read(config_of(), flat)
    build_part("first_stage", found.parts["first_stage"], built_ins)


def test_the_new_attention_order_is_converted(read):
    plain = {**UNCONDITIONAL, "use_ema": False}
    old, tensors = read(config_of(**plain))
    new_config = deepcopy(plain)
    new_config["unet"]["use_new_attention_order"] = True

    def reordered(changed):
        changed.update(tensors)
        name = "model.diffusion_model.middle_block.1.qkv.weight"
        # heads outermost in the old order, q, k and v outermost in the new one
        changed[name] = tensors[name].view(2, 3, 32, 64, 1).transpose(0, 1).reshape(192, 64, 1)

    new, _ = read(config_of(**new_config), reordered)
    name = "middle_block.1.qkv.weight"
    assert torch.equal(new.parts["denoiser"].tensors[name], old.parts["denoiser"].tensors[name])


def test_the_destination_is_written_completely_or_not_at_all(
    tmp_path, checkpoint, built_ins, monkeypatch
):
    config = config_of()
    write_weights(tmp_path / "w.ckpt", checkpoint(config))
    (tmp_path / "w.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "precious").touch()
    with pytest.raises(InvalidInputError, match="already exists"):
        import_model(tmp_path / "w.ckpt", tmp_path / "there", atelier=built_ins)

    def fails(*_, **__):
        raise KeyboardInterrupt

    with pytest.raises(InvalidInputError, match=r"there: already exists, and holds no model \(no"):
        import_model(tmp_path / "w.ckpt", tmp_path / "there", force=True, atelier=built_ins)
    (tmp_path / "there" / "latelier.json").touch()
    with monkeypatch.context() as patched:
        patched.setattr("latelier.pipeline.saving.write_json", fails)
        for name in ("there", "new"):
            with pytest.raises(KeyboardInterrupt):
                import_model(tmp_path / "w.ckpt", tmp_path / name, force=True, atelier=built_ins)
    there = {path.name for path in (tmp_path / "there").iterdir()}
    assert there == {"precious", "latelier.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"w.ckpt", "w.yaml", "there"}
    import_model(tmp_path / "w.ckpt", tmp_path / "there", force=True, atelier=built_ins)
    assert (tmp_path / "there" / "latelier.json").stat().st_size
    assert not (tmp_path / "there" / "precious").exists()


def test_unknown_options_and_importers_are_refused(tmp_path, checkpoint, built_ins):
    write_weights(tmp_path / "w.ckpt", {"w": torch.ones(1)})
    for options, why in (
        ({}, "is of an unknown format"),
        ({"importer": "compvi"}, "no importer 'compvi'. Did you mean 'compvis'"),
        ({"importer": "compvis", "nul_class": 1}, "no option 'nul_class'. Did you mean"),
        ({"importer": "compvis"}, "names no 'target' class"),
    ):
        with pytest.raises(latelier.LatelierError, match=why):
            import_model(tmp_path / "w.ckpt", tmp_path / "out", atelier=built_ins, **options)


def test_a_pixel_space_model_is_imported(given, compvis_checkpoint, drawn):
    config = config_of(**UNCONDITIONAL, use_ema=False)
    tensors = compvis_checkpoint(config, drawn)
    without("first_stage_model.")(tensors)
    del config["model"]["params"]["first_stage_config"]
    config["model"]["target"] = "ldm.models.diffusion.ddpm.DDPM"
    found = CompVis().read(given(config, tensors))
    assert found.parts["first_stage"].id == "latelier/identity"
    assert found.parts["first_stage"].config["channels"] == 4
    assert found.defaults["size"] == 8


MALFORMED = ["x", -1, None, [], {}, [["a"]], {"target": 3}]


@pytest.mark.parametrize(
    "path",
    [
        ("target",),
        ("params",),
        ("params", "linear_start"),
        ("params", "timesteps"),
        ("params", "image_size"),
        ("params", "unet_config"),
        ("params", "unet_config", "params"),
        ("params", "unet_config", "params", "in_channels"),
        ("params", "unet_config", "params", "channel_mult"),
        ("params", "unet_config", "params", "context_dim"),
        ("params", "unet_config", "params", "num_heads"),
        ("params", "first_stage_config"),
        ("params", "first_stage_config", "params", "ddconfig"),
        ("params", "first_stage_config", "params", "embed_dim"),
        ("params", "cond_stage_config", "params", "n_classes"),
        ("params", "scale_factor"),
        ("params", "beta_schedule"),
    ],
)
def test_a_malformed_yaml_is_one_clear_error(tmp_path, given, checkpoint, built_ins, path):
    tensors = checkpoint(config_of())
    for value in MALFORMED:
        config = config_of()
        node = config["model"]
        for key in path[:-1]:
            node = node[key]
        node[path[-1]] = value
        source = given(config, tensors)
        try:
            found = run_importer("latelier/compvis", CompVis(), source)
            for place, part in found.parts.items():
                build_part(place, part, built_ins)
        except latelier.LatelierError as error:
            assert "\n" not in str(error)  # noqa: PT017


LABELLED: dict[str, Any] = {
    "cond_stage_config": {"target": "torch.nn.Identity"},
    "conditioning_key": "adm",
    "unet": {"use_spatial_transformer": False, "context_dim": None, "num_classes": 5},
}


def with_labels(tensors, rows=5):
    """Add the UNet's class embedding table, of ones, and its average, of numbers."""
    tensors["model.diffusion_model.label_emb.weight"] = torch.ones(rows, 128)
    average = torch.arange(rows * 128.0).view(rows, 128)
    tensors["model_ema.diffusion_modellabel_embweight"] = average


def test_a_unet_with_a_class_embedding_is_imported(read, built_ins):
    found, tensors = read(config_of(**LABELLED), with_labels)
    part = found.parts["conditioners.class_label"]
    average = tensors["model_ema.diffusion_modellabel_embweight"]
    assert torch.equal(part.tensors["embedding.weight"], average)
    labels = build_part("conditioners.class_label", part, built_ins).module
    unet = build_part("denoiser", found.parts["denoiser"], built_ins).module
    assert unet.config.native_vectors == ("class_label",)
    vector = labels.encode([3]).vector
    assert torch.equal(vector, average[3:4])
    assert any("5 rows, none of them for no class" in note for note in found.notes)
    x, t = torch.randn(1, 4, 8, 8), torch.tensor([7.0])
    with torch.no_grad():
        condition = [
            unet(x, t, Condition({}, {}, {"class_label": each}))
            for each in (vector, labels.encode([4]).vector)
        ]
    assert not torch.allclose(*condition)


@pytest.mark.parametrize(
    ("changes", "rows", "error", "why"),
    [
        ({}, 6, ModelFileError, r"num_classes of the UNet \(5\) and a table"),
        ({"cond_stage_config": CLASSES}, 5, InvalidConfigError, "the class 'ClassEmbedder' is not"),
        ({"conditioning_key": "concat"}, 5, InvalidConfigError, "supported with conditioning_k"),
        ({"cond_stage_config": "__is_unconditional__"}, 5, InvalidConfigError, "num_classes: 5"),
    ],
)
def test_invalid_class_embeddings_are_refused(read, changes, rows, error, why):
    with pytest.raises(error, match=why):
        read(config_of(**{**LABELLED, **changes}), lambda tensors: with_labels(tensors, rows))


def test_a_class_embedding_missing_from_the_yaml_is_refused(given, checkpoint, built_ins):
    config = config_of()
    tensors = checkpoint(config)
    with_labels(tensors)
    found = CompVis().read(given(config, tensors))
    with pytest.raises(ModelFileError, match=r"label_emb\.weight"):
        build_part("denoiser", found.parts["denoiser"], built_ins)


def test_a_vocabulary_in_one_file_is_read(tmp_path, read, built_ins):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "##s"]
    ids = {word: number for number, word in enumerate(words)}
    params = {"n_embed": 16, "n_layer": 1, "vocab_size": 7, "use_tokenizer": True}
    config = config_of(
        cond_stage_config={"target": "ldm.modules.BERTEmbedder", "params": params},
    )
    found, _ = read(config)
    assert any("no vocab.txt or tokenizer.json" in note for note in found.notes)
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": ids}}))
    found, _ = read(config)
    part = found.parts["conditioners.text"]
    assert part.assets["vocab.txt"].decode().split() == words
    text = build_part("conditioners.text", part, built_ins).module
    (tokens,) = text.prepare([text.Input(text="a cats")], None).values()
    assert tokens[0, :5].tolist() == [2, 4, 5, 6, 3]
    (tmp_path / "tokenizer.json").write_text("[")
    with pytest.raises(ModelFileError, match=r"tokenizer\.json: cannot be read as JSON"):
        read(config)


def test_a_mistyped_parameter_of_the_model_is_refused_and_a_foreign_one_noted(read):
    message = "unknown parameter 'parametrization'. Did you mean 'parameterization'"
    with pytest.raises(InvalidConfigError, match=message):
        read(config_of(parametrization="v"))
    found, _ = read(config_of(personalization_config={"target": "x"}, given_betas=None))
    assert "unknown parameters: personalization_config" in found.notes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("schedule", ["linear", "sqrt_linear", "cosine"])
def test_a_schedule_rounded_to_any_precision_is_the_same(dtype, schedule):
    params = {"linear_start": 0.00085, "linear_end": 0.012, "beta_schedule": schedule}
    fields = process_of(params, None)
    ends = fields["beta_start"], fields["beta_end"]
    table = torch.from_numpy(betas(fields["beta_schedule"], *ends, 1000))
    assert process_of(params, table.to(dtype)) == fields


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("change", [{"linear_end": 0.0125}, {"linear_start": 0.0009}])
def test_a_different_schedule_is_detected_in_any_precision(dtype, change):
    params = {"linear_start": 0.00085, "linear_end": 0.012}
    table = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    with pytest.raises(ModelFileError, match="the noise schedule of the weights"):
        process_of({**params, **change}, table.to(dtype))


def test_unexpected_tensors_are_ignored_on_request_and_reported(given, checkpoint):
    config = config_of()
    tensors = checkpoint(config) | {"embedding_manager.weight": torch.zeros(2)}
    with pytest.raises(ModelFileError, match=r"1 unexpected \(embedding_manager\.weight\)"):
        CompVis().read(given(config, tensors))
    source = given(config, tensors)
    source.options["ignore_leftovers"] = ["embedding_manager.*"]
    assert any("embedding_manager.weight" in note for note in CompVis().read(source).notes)
    source.options["ignore_leftovers"] = True
    with pytest.raises(InvalidConfigError, match="expected names of tensors, got True"):
        CompVis().read(source)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("timesteps", value) for value in (0, -1, 10**9, 1e30, 2.5, "a", None, [])],
        *[("linear_start", value) for value in (0, -1, 1, math.nan, "a", None, [])],
        *[("linear_end", value) for value in (0, math.inf, {}, "a")],
        *[("beta_schedule", value) for value in (None, [], 3)],
        ("parameterization", []),
    ],
)
def test_an_impossible_noise_process_is_refused(field, value):
    with pytest.raises(InvalidConfigError, match=field):
        process_of({field: value}, None)


def test_numbers_that_yaml_reads_as_text_are_numbers():
    # "1e-4" is text in YAML 1.1, since it has no point
    assert process_of({"linear_start": "1e-4"}, None) == process_of({}, None)
