"""The folders of diffusers' DiTPipeline become our transformer, with the published numbers.

The reference is diffusers' own model, with the two numbers put right in which it differs from the
published one: the sinusoids of the timestep, and the epsilon of the feed-forward's norm.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import latelier
from latelier.checkpoints.importers.diffusers.class_names import class_names
from latelier.checkpoints.importers.diffusers.configs.transformer import dit_config_from_diffusers
from latelier.checkpoints.importers.diffusers.layouts.transformer import dit_from_diffusers
from latelier.contracts.condition import Condition
from latelier.contracts.errors import CompatibilityError, InvalidConfigError, ModelFileError
from latelier.conversion.exporting import export_model
from latelier.conversion.importing import import_model
from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.transformer import Transformer

diffusers = pytest.importorskip("diffusers")

LABELS = {"0": "tench, Tinca tinca", "1": "crane", "2": "newt", "3": "crane", "4": "ox"}


def transformer(**changes: Any) -> nn.Module:
    """Return a small DiT of five classes with random weights, as the published ones shared."""
    given = {"num_attention_heads": 4, "attention_head_dim": 8, "num_layers": 2, "sample_size": 8}
    given |= {"out_channels": 8, "num_embeds_ada_norm": 5, **changes}
    model = diffusers.DiTTransformer2DModel(**given)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            fan = parameter[0].numel() if parameter.ndim > 1 else 16
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan**0.5)
    first = model.transformer_blocks[0].norm1.emb
    for block in model.transformer_blocks:
        block.norm1.emb.load_state_dict(first.state_dict())
    return model.eval()


def folder_of(folder: Path, model: nn.Module) -> Path:
    model.save_pretrained(folder / "transformer")
    config = folder / "transformer" / "config.json"
    config.write_text(config.read_text().replace("DiTTransformer2DModel", "Transformer2DModel"))
    down, up = ["DownEncoderBlock2D"] * 2, ["UpDecoderBlock2D"] * 2
    types = {"down_block_types": down, "up_block_types": up, "block_out_channels": (32, 32)}
    diffusers.AutoencoderKL(**types).save_pretrained(folder / "vae")
    diffusers.DDIMScheduler(num_train_timesteps=1000).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "DiTPipeline",
        "transformer": ["diffusers", "Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "id2label": LABELS,
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.mark.parametrize("changes", [{}, {"out_channels": 4, "patch_size": 4}])
def test_output_equals_diffusers(tmp_path, built_ins, changes):
    theirs = transformer(**changes)
    report = import_model(folder_of(tmp_path / "in", theirs), tmp_path / "out", atelier=built_ins)
    assert any("sinusoids" in note for note in report.notes)
    assert any("variance" in note for note in report.notes) == (not changes)
    pipe = latelier.load(tmp_path / "out", device="cpu", atelier=built_ins)
    for block in theirs.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
        block.norm3.eps = 1e-6
    generator = torch.Generator().manual_seed(1)
    x, t = torch.randn(3, 4, 8, 8, generator=generator), torch.tensor([1, 250, 999])
    labels = pipe.conditioners["class_label"]
    with torch.no_grad():
        condition = torch.cat([labels.encode(["tench", 3]).vector, labels.null(1, None).vector])
        found = pipe.denoiser(x, t.float(), Condition({}, {}, {"class_label": condition}))
        wanted = theirs(x, t, torch.tensor([0, 3, 5])).sample[:, :4]
    assert wanted.std() > 0.1
    assert (found - wanted).abs().max() / wanted.abs().max() < 1e-4


def test_a_pipeline_is_imported(tmp_path, built_ins):
    folder = folder_of(tmp_path / "in", transformer())
    import_model(folder, tmp_path / "out", atelier=built_ins)
    pipe = latelier.load(tmp_path / "out", device="cpu", atelier=built_ins)
    assert (pipe.defaults.size, pipe.defaults.guidance.options["scale"]) == ((16, 16), 4.0)
    assert pipe.conditioners["class_label"].config.null_class
    (picture,) = pipe.generate(class_label="newt", seed=0, steps=2)
    assert picture.image.size == (16, 16)
    with pytest.raises(CompatibilityError, match="transformer' cannot be exported: diffusers"):
        export_model(tmp_path / "out", tmp_path / "back", atelier=built_ins)


def test_a_single_transformer_is_imported(tmp_path, built_ins):
    transformer().save_pretrained(tmp_path / "in")
    report = import_model(tmp_path / "in", tmp_path / "out", atelier=built_ins)
    assert report.standalone_kind == "denoiser"
    assert any("its class embedding table was left out" in note for note in report.notes)


@pytest.mark.parametrize("inside", ["timestep_embedder.linear_2", "class_embedder.embedding_table"])
def test_blocks_with_separate_embeddings_are_refused(tmp_path, built_ins, inside):
    model = transformer()
    layer = model.transformer_blocks[1].norm1.emb.get_submodule(inside)
    with torch.no_grad():
        layer.weight[0, 0] += 1
    with pytest.raises(ModelFileError, match=r"transformer_blocks\.1.* differs from the first"):
        import_model(folder_of(tmp_path / "in", model), tmp_path / "out", atelier=built_ins)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            {"norm_type": "ada_norm_single"},
            "ada_norm_single; supported is ada_norm_zero",
        ),
        ({"activation_fn": "geglu"}, "activation_fn: geglu; supported is gelu-approximate"),
        ({"out_channels": 6}, "out_channels: 6; supported is 4, or 8"),
    ],
)
def test_other_transformers_are_refused(tmp_path, built_ins, change, why):
    folder = folder_of(tmp_path / "in", transformer())
    path = folder / "transformer" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidConfigError, match=why):
        import_model(folder, tmp_path / "out", atelier=built_ins)


def test_class_names_are_imported():
    assert class_names(LABELS, 5) == ("tench", "crane (1)", "newt", "crane (3)", "ox")
    two = {"0": "maillot", "1": "Maillot, tank suit", "2": "  oil\tfilter "}
    assert class_names(two, 3) == ("maillot", "Maillot, tank suit", "oil filter")
    assert class_names(two, 4) == class_names(None, 3) == ()


PUBLISHED = {
    "_class_name": "Transformer2DModel",
    "_diffusers_version": "0.12.0.dev0",
    "activation_fn": "gelu-approximate",
    "attention_bias": True,
    "attention_head_dim": 72,
    "cross_attention_dim": None,
    "dropout": 0.0,
    "in_channels": 4,
    "norm_elementwise_affine": False,
    "norm_num_groups": 32,
    "norm_type": "ada_norm_zero",
    "num_attention_heads": 16,
    "num_embeds_ada_norm": 1000,
    "num_layers": 28,
    "num_vector_embeds": None,
    "only_cross_attention": False,
    "out_channels": 8,
    "patch_size": 2,
    "sample_size": 32,
    "upcast_attention": False,
    "use_linear_projection": False,
}


def test_the_published_size_is_imported():
    """DiT-XL/2: every name and shape of diffusers' is one of ours."""
    config = TransformerConfig.model_validate(dit_config_from_diffusers(PUBLISHED))
    with torch.device("meta"):
        ours = Transformer(config).state_dict()
        theirs = diffusers.DiTTransformer2DModel(out_channels=8).state_dict()
    blocks = [name for name in theirs if name.startswith("transformer_blocks.0.norm1.emb.")]
    assert len(blocks) == 5
    # torch.equal has no answer on this device; that blocks agree is tested above
    once = {n: t for n, t in theirs.items() if ".norm1.emb." not in n or n in blocks}
    found = dit_from_diffusers(once)
    assert found.pop("y_embedder.embedding_table.weight").shape == (1001, 1152)
    assert {n: t.shape for n, t in found.items()} == {n: t.shape for n, t in ours.items()}
