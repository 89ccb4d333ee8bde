"""IP-Adapter in its published layout; the reference is diffusers' own reading and running of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier import import_model
from latelier.checkpoints.adapter import LoadedAdapter, restore_adapter
from latelier.checkpoints.importers.diffusers.layouts.unet import unet_from_diffusers
from latelier.checkpoints.io.weights import write_weights
from latelier.checkpoints.manifests import read_adapter
from latelier.contracts.components import Control, PictureGeometry, ScaledAdapter
from latelier.contracts.condition import Condition
from latelier.contracts.errors import InvalidConfigError, LatelierError, ModelFileError
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.unet import UNet
from latelier.kernel.atelier import Atelier

unet_2d_condition = pytest.importorskip("diffusers.models.unets.unet_2d_condition")

GEOMETRY = PictureGeometry((0, 0), (0, 0))
VECTOR = 24
"""Width of the picture's vector; 1024 in what is published."""


class Sizes:
    """A UNet of the blocks of Stable Diffusion 1, narrower."""

    channels = 32
    context = 16
    heads = 4
    groups = 8

    @classmethod
    def theirs(cls) -> Any:
        return unet_2d_condition.UNet2DConditionModel(
            block_out_channels=tuple(cls.channels * m for m in (1, 2, 4, 4)),
            layers_per_block=2,
            cross_attention_dim=cls.context,
            attention_head_dim=cls.heads,
            norm_num_groups=cls.groups,
        ).eval()

    @classmethod
    def config(cls) -> UNetConfig:
        return UNetConfig.model_validate(
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": cls.channels,
                "channel_mult": (1, 2, 4, 4),
                "num_res_blocks": 2,
                "attention_resolutions": (4, 2, 1),
                "num_heads": cls.heads,
                "num_groups": cls.groups,
                "context_dim": cls.context,
                "streams": {"text": {"width": cls.context, "injection": "native"}},
            }
        )


class Full(Sizes):
    """Stable Diffusion 1 itself."""

    channels = 320
    context = 768
    heads = 8
    groups = 32


def published(theirs: Any, tokens: int = 4, vector: int = VECTOR) -> dict[str, dict[str, Tensor]]:
    """Return random weights in the published layout, for a UNet of diffusers."""
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator) / shape[-1] ** 0.5

    width = theirs.config.cross_attention_dim
    attentions = {}
    for number, name in enumerate(theirs.attn_processors):
        if "attn2" in name:
            inner = theirs.get_submodule(name.removesuffix(".processor")).to_q.out_features
            for leaf in ("to_k_ip", "to_v_ip"):
                attentions[f"{number}.{leaf}.weight"] = draw(inner, width)
    projection = {
        "proj.weight": draw(tokens * width, vector),
        "proj.bias": draw(tokens * width),
        "norm.weight": 1 + draw(width),
        "norm.bias": draw(width),
    }
    return {"image_proj": projection, "ip_adapter": attentions}


def flat(weights: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{part}.{name}": t for part, named in weights.items() for name, t in named.items()}


def imported(
    source: Path, folder: Path, atelier: Atelier, unet: UNet | None = None, **options: Any
) -> LoadedAdapter:
    """Return an imported adapter; `unet` is its model, by default that of `Sizes`."""
    report = import_model(source, folder, atelier=atelier, **options)
    assert (report.importer, report.standalone_kind) == ("latelier/ip_adapter", "adapter")
    if unet is None:
        with torch.device("meta"):
            unet = UNet(Sizes.config())
    return restore_adapter(read_adapter(folder), folder, {"denoiser": unet}, atelier)


@pytest.fixture
def theirs() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Sizes.theirs()


@pytest.fixture
def file(theirs: Any, tmp_path: Path) -> Path:
    path = tmp_path / "ip-adapter_sd15.safetensors"
    write_weights(path, flat(published(theirs)))
    return path


def ours_of(theirs: Any, config: UNetConfig) -> UNet:
    with torch.device("meta"):
        ours = UNet(config)
    ours.load_state_dict(unet_from_diffusers(config, theirs.state_dict()), assign=True)
    return ours.eval()


def agree(theirs: Any, ours: UNet, adapter: LoadedAdapter, weights: Any, scale: float) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 16, 16, generator=generator)
    text = torch.randn(2, 7, ours.config.inputs().streams["text"].width, generator=generator)
    vectors = torch.randn(2, adapter.conditioner.module.config.width, generator=generator)
    vectors[1] = 0  # the null condition
    t = torch.tensor([17.0, 803.0])
    theirs._load_ip_adapter_weights([weights])
    for processor in theirs.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [scale]
    conditioner = adapter.conditioner.module
    with torch.no_grad():
        given = conditioner.encode([vectors[0].tolist()]).stream
        null = conditioner.null(1, GEOMETRY).stream
        tokens = torch.cat([given.tokens, null.tokens])
        expected = theirs(x, t, text, added_cond_kwargs={"image_embeds": [vectors[:, None]]}).sample
        control = Control(adapters={"image": ScaledAdapter(adapter.adapter.module, scale)})
        streams = {"text": type(given)(text), "image": type(given)(tokens)}
        found = ours(x, t, Condition(streams), control)
        without = ours(x, t, Condition({"text": type(given)(text)}))
    difference = (found - expected).norm() / expected.norm()
    assert difference < 1e-5
    assert (found - without).norm() / expected.norm() > 1e-3


@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_output_equals_diffusers(
    theirs: Any, file: Path, tmp_path: Path, built_ins: Atelier, scale: float
) -> None:
    adapter = imported(file, tmp_path / "out", built_ins)
    assert (adapter.name, adapter.trained_on) == ("image_vector", None)
    ours = ours_of(theirs, Sizes.config())
    agree(theirs, ours, adapter, published(theirs), scale)


@pytest.mark.zoo
def test_output_equals_diffusers_at_full_width(tmp_path: Path, built_ins: Atelier) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = Full.theirs()
    weights = published(theirs, vector=1024)
    write_weights(tmp_path / "ip-adapter_sd15.safetensors", flat(weights))
    ours = ours_of(theirs, Full.config())
    adapter = imported(tmp_path / "ip-adapter_sd15.safetensors", tmp_path / "out", built_ins, ours)
    count = sum(p.numel() for p in adapter.adapter.module.parameters())
    assert count == 22_319_616  # 44.6 MB in half precision, as the published file
    agree(theirs, ours, adapter, weights, 0.7)


def test_another_base_unet_can_be_named(tmp_path: Path, built_ins: Atelier, tiny: Any) -> None:
    """Of another number of blocks: the names of the layers come from the base's configuration."""
    tiny.save(tmp_path / "base")
    widths = [32, 32, 32, 32]
    weights = {"image_proj": {}, "ip_adapter": {}}
    for i, width in enumerate(widths):
        for leaf in ("to_k_ip", "to_v_ip"):
            weights["ip_adapter"][f"{2 * i + 1}.{leaf}.weight"] = torch.full((width, 16), float(i))
    weights["image_proj"] = {
        "proj.weight": torch.ones(32, VECTOR),
        "proj.bias": torch.ones(32),
        "norm.weight": torch.ones(16),
        "norm.bias": torch.ones(16),
    }
    write_weights(tmp_path / "small.safetensors", flat(weights))
    with pytest.raises(ModelFileError, match="--option base=FOLDER"):
        imported(tmp_path / "small.safetensors", tmp_path / "out", built_ins)
    options = {"base": str(tmp_path / "base"), "name": "look", "unet": tiny.denoiser}
    adapter = imported(tmp_path / "small.safetensors", tmp_path / "out", built_ins, **options)
    view = tiny.with_adapter(tmp_path / "out", 0.5)
    assert list(view.inputs)[-1] == adapter.name == "look"
    layers, names = adapter.adapter.module.layers, adapter.adapter.config.layers
    order = [int(layers.get_submodule(name).to_k.weight[0, 0]) for name in names]
    assert order == [0, 1, 2, 3]
    assert [name.partition(".")[0] for name in names] == [
        "input_blocks",
        "output_blocks",
        "output_blocks",
        "middle_block",
    ]
    made = view.generate(prompt="a red cat in a meadow", look=[[0.1] * VECTOR], seed=1)
    assert made[0].image.size == (16, 16)


FAULTS: dict[str, tuple[Any, str]] = {
    "plus": (lambda w: w["image_proj"].update(latents=torch.ones(1, 4, 16)), "Plus and FaceID"),
    "faceid": (
        lambda w: w["ip_adapter"].update({"0.to_q_lora.down.weight": torch.ones(2, 32)}),
        r"1 unexpected \(ip_adapter.0.to_q_lora",
    ),
    "a layer less": (lambda w: w["ip_adapter"].pop("31.to_k_ip.weight"), "have the widths"),
    "a layer in between": (lambda w: w["ip_adapter"].pop("5.to_k_ip.weight"), "numbered 1, 3, 5"),
    "no values": (
        lambda w: [
            w["ip_adapter"].pop(n) for n in list(w["ip_adapter"]) if n == "7.to_v_ip.weight"
        ],
        "1 missing",
    ),
    "another width": (
        lambda w: w["ip_adapter"].update({"3.to_v_ip.weight": torch.ones(32, 5)}),
        "1 misshapen",
    ),
    "vectors for keys": (
        lambda w: w["ip_adapter"].update({"3.to_k_ip.weight": torch.ones(32)}),
        r"a matrix 'ip_adapter.3.to_k_ip.weight', got \(32,\)",
    ),
    "keys of nothing": (
        lambda w: w["ip_adapter"].update({"1.to_k_ip.weight": torch.ones(0, 16)}),
        r"a matrix 'ip_adapter.1.to_k_ip.weight', got \(0, 16\)",
    ),
    "a number in other words": (
        lambda w: w["ip_adapter"].update(
            {"01.to_k_ip.weight": w["ip_adapter"].pop("1.to_k_ip.weight")}
        ),
        "a matrix 'ip_adapter.1.to_k_ip.weight', got none",
    ),
    "a vector for the projection": (
        lambda w: w["image_proj"].update({"proj.weight": torch.ones(64)}),
        "a matrix 'image_proj.proj.weight'",
    ),
    "no norm": (lambda w: w["image_proj"].pop("norm.bias"), "a part of that"),
}


@pytest.mark.parametrize(("change", "message"), FAULTS.values(), ids=FAULTS.keys())
def test_other_kinds_and_incomplete_files_are_refused(
    theirs: Any, tmp_path: Path, built_ins: Atelier, change: Any, message: str
) -> None:
    weights = published(theirs)
    change(weights)
    write_weights(tmp_path / "file.safetensors", flat(weights))
    with pytest.raises(ModelFileError, match=message):
        imported(tmp_path / "file.safetensors", tmp_path / "out", built_ins)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "a b"}, "name: expected letters"),
        ({"base": "/nowhere"}, "not found"),
        ({"bass": "x"}, "Did you mean 'base'"),
    ],
)
def test_invalid_options_are_refused(
    file: Path, tmp_path: Path, built_ins: Atelier, options: Any, message: str
) -> None:
    with pytest.raises(LatelierError, match=message):
        imported(file, tmp_path / "out", built_ins, **options)


def test_a_base_that_is_not_a_unet_is_refused(
    file: Path, tmp_path: Path, built_ins: Atelier
) -> None:
    (tmp_path / "latelier.json").write_text('{"denoiser": {"id": "latelier/transformer"}}')
    with pytest.raises(InvalidConfigError, match="is not a UNet"):
        imported(file, tmp_path / "out", built_ins, base=str(tmp_path))


def test_an_existing_adapter_is_replaced_only_by_force(
    file: Path, tmp_path: Path, built_ins: Atelier
) -> None:
    imported(file, tmp_path / "out", built_ins)
    with pytest.raises(LatelierError, match="already exists; --force"):
        imported(file, tmp_path / "out", built_ins)
    assert imported(file, tmp_path / "out", built_ins, force=True)
