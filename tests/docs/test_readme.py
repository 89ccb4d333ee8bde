"""The blocks of README.md run, in its order, and print what it says."""

import json
import re
import shlex
import sys
from pathlib import Path

import pytest
import torch

import latelier
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.training.configs.denoiser import DenoiserTraining
from latelier.training.configs.first_stage import FirstStageTraining
from latelier.training.configs.training import read_training

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [
    shlex.split(line, comments=True)
    for language, block in BLOCKS
    if language == "console"
    for line in block.splitlines()
]


def commands(*start):
    """Return the command lines that begin with these words."""
    return [line for line in COMMANDS if tuple(line[: len(start)]) == start]


def python_block(text):
    """Return the one block of Python that contains a text."""
    [found] = [block for language, block in BLOCKS if language == "python" and text in block]
    return found


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The names that the first blocks leave behind; "lines" is what they printed."""
    lines = []
    names = {"print": lambda *values: lines.append(" ".join(map(str, values)))}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("readme"))
        for text in ("import latelier\n", "pipe.stream", "def euler", "pipe.denoise_fn"):
            exec(python_block(text), names)
        assert Path("cat.png").is_file()
    return names | {"lines": lines}


def test_the_first_block_prints_the_documented_output(generated):
    [printed] = [block for language, block in BLOCKS if language == "text"]
    assert generated["lines"][0] == printed.strip()


def test_a_stream_has_a_picture_for_each_step(generated):
    steps = generated["pipe"].defaults.steps
    assert generated["lines"][1:] == [f"{k} of {steps} (128, 128)" for k in range(1, steps + 1)]


def test_the_sampler_is_the_built_in_euler(generated):
    assert generated["images"].shape == (1, 3, 128, 128)
    denoise, grid = generated["denoise"], generated["sigmas"]
    x = generated["pipe"].process.initial(
        torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(0)), grid.sigmas[0]
    )
    *_, found = generated["euler"](denoise, x, grid)
    *_, expected = latelier.samplers.get("euler")(denoise, x, grid)
    torch.testing.assert_close(found.x, expected.x, rtol=1e-4, atol=1e-4)


def test_the_conditioner_fits_a_pipeline(tmp_path, monkeypatch, tiny_changes):
    for name in ("inputs", "conditioner"):
        path = tmp_path / "latelier_brightness" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(python_block(f"# latelier_brightness/{name}.py"))
    monkeypatch.syspath_prepend(tmp_path)

    class Plugin:
        @latelier.hookimpl
        def latelier_register(self, registrar):
            registrar.conditioner(
                "brightness",
                factory="latelier_brightness.conditioner:Brightness",
                config="latelier_brightness.inputs:BrightnessConfig",
                input="latelier_brightness.inputs:Level",
            )

    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Plugin(), "latelier-brightness", "1.0")
    parts = tiny_changes()
    parts["denoiser"][1]["vectors"]["brightness"] = 8
    parts["conditioners"]["brightness"] = ("brightness", {"width": 8})
    parts["inputs"]["brightness"] = "brightness"
    pipe = latelier.compose(**parts, device="cpu", atelier=atelier)
    pipe.conditioners["text"].fit(["a red cat", "a blue dog on a sea"] * 20)
    assert pipe.input_schemas()["brightness"]["properties"]["level"]["maximum"] == 1
    dark, bright = (pipe.conditioners["brightness"].encode([level]).vector for level in (0, 1))
    assert not torch.equal(dark, bright)
    assert pipe.generate(brightness=0.5, steps=1)[0].image.size == (16, 16)
    with pytest.raises(latelier.LatelierError, match="level"):
        pipe.generate(brightness=2)
    for module in [name for name in sys.modules if name.startswith("latelier_brightness")]:
        del sys.modules[module]


def test_the_first_command_generates(cli):
    [line] = commands("latelier", "generate")[:1]
    assert cli(*line[1:]).status == 0
    assert Path("apple.png").is_file()


@pytest.mark.parametrize("name", ["sd15", "dit"])
def test_published_models_are_imported_and_generate(name, cli, with_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("latelier.kernel.default.default_atelier", lambda: with_clip)
    write = {"sd15": write_stable_diffusion, "dit": write_dit}[name]
    write(tmp_path / "published")
    [[*start, _, destination]] = [line for line in commands("latelier", "import") if name in line]
    done = cli(*start[1:], tmp_path / "published", destination)
    assert done.status == 0, done.err
    [line] = [line for line in commands("latelier", "generate") if name in line]
    done = cli(*line[1:], "--steps", 1)
    assert done.status == 0, done.err
    assert Path(line[-1]).is_file()
    if name == "dit":
        monkeypatch.setattr("latelier.pipeline.loading.default_atelier", lambda: with_clip)
        exec(python_block('latelier.load("dit")'), {"latelier": latelier})


def test_the_training_commands_are_those_of_the_page():
    page = (ROOT / "docs/train-your-own.md").read_text()
    lines = [*commands("latelier", "train"), *commands("latelier", "data")]
    assert len(lines) == 3
    for line in lines:
        assert f"$ {shlex.join(line)}" in page


@pytest.mark.parametrize("path", sorted((ROOT / "configs/emoji-scenes").glob("*[!d].yaml")))
def test_the_configurations_of_the_embedded_model_are_valid(path):
    read_training(path, FirstStageTraining if "first" in path.name else DenoiserTraining)


def test_the_data_preview_runs(cli):
    [line] = re.findall(r"`latelier (data preview .*?)`", PAGE)
    assert cli(*shlex.split(line)).status == 0
    assert Path("scenes.png").is_file()


def test_pip_extras_and_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for _, target in commands("make"))
    for line in commands("pip"):
        place = ROOT / re.sub(r"\[\w+\]$", "", line[-1])
        assert (place / "pyproject.toml").is_file(), line
    assert {line[0] for line in COMMANDS} == {"pip", "latelier", "make"}


def test_the_counts_match_the_registries(built_ins):
    def count(kind):
        return len(built_ins.registries[kind].names())

    assert f"{count('sampler')} samplers, {count('schedule')} schedules" in PAGE
    row = re.search(r"^\| guidance \|.*$", PAGE, re.MULTILINE)[0]
    options = {"cfg_interval", "cfg_rescale", "dynamic_thresholding"}
    assert set(re.findall(r"`(\w+)`", row)) == set(built_ins.guidances.names()) - options


def write_vae(folder):
    import diffusers

    diffusers.AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
        block_out_channels=(32, 32),
    ).save_pretrained(folder / "vae")
    diffusers.DDIMScheduler(num_train_timesteps=1000).save_pretrained(folder / "scheduler")


def write_index(folder, kind, **parts):
    common = {"vae": ["diffusers", "AutoencoderKL"], "scheduler": ["diffusers", "DDIMScheduler"]}
    index = {"_class_name": kind, **common, **parts}
    (folder / "model_index.json").write_text(json.dumps(index))


def write_dit(folder):
    """Write a tiny DiT with random weights, laid out as the published ones."""
    diffusers = pytest.importorskip("diffusers")
    model = diffusers.DiTTransformer2DModel(
        num_attention_heads=4,
        attention_head_dim=8,
        num_layers=1,
        sample_size=8,
        out_channels=8,
        num_embeds_ada_norm=2,
    )
    model.save_pretrained(folder / "transformer")
    config = folder / "transformer" / "config.json"
    config.write_text(config.read_text().replace("DiTTransformer2DModel", "Transformer2DModel"))
    write_vae(folder)
    labels = {"0": "tench, Tinca tinca", "1": "golden retriever"}
    transformer = ["diffusers", "Transformer2DModel"]
    write_index(folder, "DiTPipeline", transformer=transformer, id2label=labels)


def write_stable_diffusion(folder):
    """Write a tiny Stable Diffusion with random weights, laid out as the published ones."""
    diffusers = pytest.importorskip("diffusers")
    transformers = pytest.importorskip("transformers")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            hidden_size=24,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=3,
            vocab_size=len(tokens),
            max_position_embeddings=77,
            bos_token_id=len(tokens) - 2,
            eos_token_id=len(tokens) - 1,
        )
    ).save_pretrained(folder / "text_encoder")
    diffusers.UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
        up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
        cross_attention_dim=24,
        attention_head_dim=2,
        layers_per_block=1,
    ).save_pretrained(folder / "unet")
    (folder / "tokenizer").mkdir()
    vocabulary = {token: number for number, token in enumerate(tokens)}
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n")
    settings = {"pad_token": "<|endoftext|>"}
    (folder / "tokenizer" / "special_tokens_map.json").write_text(json.dumps(settings))
    write_vae(folder)
    write_index(
        folder,
        "StableDiffusionPipeline",
        unet=["diffusers", "UNet2DConditionModel"],
        text_encoder=["transformers", "CLIPTextModel"],
        tokenizer=["transformers", "CLIPTokenizer"],
        safety_checker=[None, None],
    )
