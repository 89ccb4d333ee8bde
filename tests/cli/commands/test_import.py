"""Models go out to diffusers and come in again, each by one line."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import latelier
from latelier.cli.commands.import_ import read_import_options
from latelier.contracts.errors import InvalidInputError


@pytest.fixture(scope="module")
def unconditional(tmp_path_factory):
    """The folder of a model that diffusers has an equivalent of: 16 x 16 pixels."""
    folder = tmp_path_factory.mktemp("models") / "unconditional"
    latelier.compose(
        first_stage=("autoencoder_kl", {"ch": 8, "ch_mult": (1, 2), "num_groups": 4}),
        denoiser=(
            "unet",
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": 16,
                "channel_mult": (1, 2),
                "num_res_blocks": 1,
                "num_heads": 1,
                "num_groups": 4,
            },
        ),
        process={"kind": "vp"},
        defaults={"size": 16, "steps": 2, "sampler": "ddim", "schedule": "compvis"},
        device="cpu",
    ).save(folder)
    return folder


def test_export_import_round_trip(cli, unconditional, tmp_path):
    done = cli("export", unconditional, "theirs")
    assert done.status == 0, done.err
    assert done.out.splitlines()[0].split() == ["FOLDER", "CLASS"]
    assert (tmp_path / "theirs" / "unet" / "config.json").is_file()
    done = cli("import", "theirs", "ours")
    assert done.status == 0, done.err
    assert "the pipeline is a LDMPipeline" in done.out
    assert done.out.splitlines()[-1] == "ours"
    one, two = latelier.load(unconditional, device="cpu"), latelier.load("ours", device="cpu")
    for place, component in one.components().items():
        state = two.components()[place].module.state_dict()
        for name, tensor in component.module.state_dict().items():
            assert torch.equal(state[name], tensor)
    assert two.process == one.process
    assert cli("generate", "--model", "ours", "--seed", 1, "--steps", 2, "-o", "a.png").status == 0


def test_reports_are_printed_as_json(cli, unconditional):
    made = json.loads(cli("export", unconditional, "theirs", "--json").out)
    assert made["components"]["unet"] == "UNet2DModel"
    found = json.loads(cli("import", "theirs", "ours", "--json").out)
    assert found["importer"] == "latelier/diffusers"
    assert [row["place"] for row in found["components"]] == ["first_stage", "denoiser"]


def test_weights_keep_the_precision_of_their_file_and_the_report_names_it(
    cli, unconditional, tmp_path
):
    cli("export", unconditional, "theirs")
    (unet,) = (tmp_path / "theirs" / "unet").glob("*.safetensors")
    save_file({name: tensor.half() for name, tensor in load_file(unet).items()}, unet)
    rows = json.loads(cli("import", "theirs", "ours", "--json").out)["components"]
    found = {row["place"]: row["precision"] for row in rows}
    assert found == {"first_stage": "float32", "denoiser": "float16"}
    for place, precision in found.items():
        stored = load_file(tmp_path / "ours" / f"{place}.safetensors").values()
        assert {str(tensor.dtype) for tensor in stored} == {f"torch.{precision}"}
    assert "float16" in cli("import", "theirs", "ours", "--force").out


def test_importer_options_are_passed_on(cli, unconditional):
    cli("export", unconditional, "theirs")
    done = cli("import", "theirs", "ours", "--option", "scale_factor=0.5")
    assert done.status == 0, done.err
    assert latelier.load("ours", device="cpu").first_stage.config.scale_factor == 0.5
    done = cli("import", "theirs", "ours", "--force", "--option", "scale_facto=0.5")
    assert done.status == 2
    assert "no option 'scale_facto'. Did you mean 'scale_factor'" in done.err


def test_user_errors_are_one_line(cli, unconditional, tmp_path):
    (tmp_path / "w.ckpt").write_bytes(b"\x80\x02}q\x00.")
    for arguments, why in (
        (("import", "nothing", "ours"), "nothing: file or folder not found"),
        (("import", "w.ckpt", "ours", "--config", "no.yaml"), "no.yaml: not found"),
        (("import", "w.ckpt", "w.ckpt"), "w.ckpt: already exists, and is a file; name a folder"),
        (("export", unconditional, "theirs", "--format", "onnx"), "unknown format 'onnx'"),
        (("export", unconditional, "w.ckpt"), "already exists"),
        (("import", unconditional, "ours"), "is a model or component of latelier already"),
        (("generate", "a cat", "--model", unconditional), "takes no prompt, nor any other input"),
    ):
        done = cli(*arguments)
        assert done.status == 2
        assert len(done.err.splitlines()) == 1
        assert why in done.err


def test_weights_of_another_configuration_get_its_preset_as_a_hint(
    cli, unconditional, tmp_path, monkeypatch
):
    calls = []

    def fitting(place, shapes, atelier):
        calls.append((place, len(shapes)))
        return ["celeba256"]

    monkeypatch.setattr("latelier.conversion.importing.find_presets", fitting)
    cli("export", unconditional, "theirs")
    config = tmp_path / "theirs" / "unet" / "config.json"
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "layers_per_block": values["layers_per_block"] + 1}))
    done = cli("import", "theirs", "ours")
    assert done.status == 2
    assert "denoiser: the weights do not fit this configuration: " in done.err
    assert done.err.rstrip().endswith("The configuration of celeba256 would fit")
    weights = latelier.load(unconditional, device="cpu").denoiser.state_dict()
    assert calls == [("denoiser", len(weights))]
    assert not (tmp_path / "ours").exists()


def test_option_values_are_parsed():
    assert read_import_options(["a=1", "b=true", "c=x=y"]) == {"a": 1, "b": True, "c": "x=y"}
    for texts in (["a"], ["=1"], ["a=1", "a=2"], ["a b=1"]):
        with pytest.raises(InvalidInputError, match="is not NAME=VALUE"):
            read_import_options(texts)


@pytest.mark.parametrize("command", ["import", "export"])
def test_the_help_imports_no_torch(cli, command):
    code = (
        "import sys\nfrom latelier.cli.main import main\n"
        f"try: main(['{command}', '--help'])\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "False"
    line = next(x for x in cli("--help").out.splitlines() if x.startswith(f"  {command} "))
    assert line.split(maxsplit=1)[1].rstrip(".") in done.stdout


def blocked(folder):
    """Return destinations that cannot be written, and why."""
    (folder / "file").touch()
    return {
        "below a file": (folder / "file" / "m", "is a file"),
        "a name that is too long": (folder / ("n" * 300), "File name too long"),
        "a loop of links": (loop(folder), "cannot be written"),
    }


def loop(folder):
    (folder / "loop").symlink_to("loop")
    return folder / "loop" / "m"


@pytest.mark.parametrize("case", ["below a file", "a name that is too long", "a loop of links"])
@pytest.mark.parametrize("command", ["import", "export", "build"])
def test_an_unwritable_destination_is_a_one_line_error(cli, unconditional, tmp_path, case, command):
    cli("export", unconditional, "theirs")
    destination, why = blocked(tmp_path)[case]
    arguments = {
        "import": ("import", "theirs", destination),
        "export": ("export", unconditional, destination),
        "build": ("models", "build", "kl-f4", destination),
    }[command]
    before = sorted(tmp_path.iterdir())
    done = cli(*arguments)
    assert done.status == 2
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    assert why in line
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["import", "export"])
def test_a_full_disk_leaves_nothing(cli, unconditional, tmp_path, monkeypatch, command):
    from safetensors import SafetensorError

    cli("export", unconditional, "theirs")
    before = sorted(tmp_path.iterdir())

    def fails(*_):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("latelier.checkpoints.io.weights.save_file", fails)
    done = cli(command, unconditional if command == "export" else "theirs", "out")
    assert done.status == 2
    assert done.err == "error: out: cannot be written: No space left on device\n"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("length", [200, 240, 255])
def test_a_folder_name_of_maximal_length_is_accepted(cli, unconditional, length):
    for command, source in (("export", unconditional), ("import", "theirs")):
        cli("export", unconditional, "theirs", "--force")
        done = cli(command, source, command[0] * length)
        assert done.status == 0, done.err


def test_an_unreadable_source_is_a_one_line_error(cli, tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "w.ckpt").write_bytes(b"\x80")
    monkeypatch.setattr("pathlib.Path.open", refuse)
    done = cli("import", "w.ckpt", "ours")
    assert done.status == 2
    assert done.err == "error: w.ckpt: cannot be read: Permission denied\n"


def write_ip_adapter(path, others):
    """Write the file of an IP-Adapter, with other tensors of some shapes in it."""
    shapes = {f"image_proj.norm.{name}": (16,) for name in ("weight", "bias")}
    shapes |= {"image_proj.proj.weight": (4 * 16, 24), "image_proj.proj.bias": (4 * 16,)}
    widths = (32, 32, 64, 64, 128, 128, 128, 128, 128, 64, 64, 64, 32, 32, 32, 128)
    for k, width in enumerate(widths):
        for side in ("to_k_ip", "to_v_ip"):
            shapes[f"ip_adapter.{2 * k + 1}.{side}.weight"] = (width, 16)
    shapes |= others
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, path)


def test_an_unexpected_tensor_is_ignored_on_request(cli, tmp_path, monkeypatch):
    write_ip_adapter("a.safetensors", {"ip_adapter.embedding_manager.weight": (2, 2)})
    done = cli("import", "a.safetensors", "ours")
    assert done.status == 2
    assert "1 unexpected (ip_adapter.embedding_manager.weight)" in done.err
    assert "--ignore-leftovers" in done.err
    done = cli("import", "a.safetensors", "ours", "--ignore-leftovers", "other.*")
    assert done.status == 2
    done = cli("import", "a.safetensors", "ours", "--ignore-leftovers", "*.embedding_manager.*")
    assert done.status == 0, done.err
    assert "1 tensors ignored (ip_adapter.embedding_manager.weight) by request" in done.out


def test_an_unexpected_tensor_inside_a_component_is_ignored_on_request(
    cli, unconditional, tmp_path
):
    cli("export", unconditional, "theirs")
    path = tmp_path / "theirs" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({**load_file(path), "left.by.a.trainer": torch.zeros(2)}, path)
    done = cli("import", "theirs", "ours")
    assert done.status == 2
    assert "1 unexpected (left.by.a.trainer)" in done.err
    done = cli("import", "theirs", "ours", "--ignore-leftovers", "left.*")
    assert done.status == 0, done.err
    assert "- 1 tensors ignored (left.by.a.trainer) by request" in done.out


def test_missing_tensors_are_always_refused(cli, unconditional, tmp_path):
    cli("export", unconditional, "theirs")
    path = tmp_path / "theirs" / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors.pop("conv_in.bias")
    save_file(tensors, path)
    done = cli("import", "theirs", "ours", "--ignore-leftovers", "*")
    assert done.status == 2
    assert "1 missing (input_blocks.0.0.bias)" in done.err


def test_an_adapter_file_that_is_imported_first_is_named(cli):
    write_ip_adapter("a.safetensors", {})
    says = "a.safetensors: is of a format that is imported first ('latelier/ip_adapter'): run "
    command = ("generate", "a cat", "--adapter", "a.safetensors")
    for condition in ([], ["--condition", "a=[1]"]):
        done = cli(*command, *condition)
        assert done.status == 2
        assert f"{says}`latelier import a.safetensors DEST`" in done.err
    done = cli("import", "a.safetensors", "ours")
    assert done.out.endswith(
        "- use it with: --adapter ./ours --condition image_vector=@FILE\nours\n"
    )
    (adapter,) = json.loads(cli("import", "a.safetensors", "again", "--json").out)["inputs"]
    assert adapter == "image_vector"
