"""Checkpoints as CompVis lays them out: names and shapes from its schema, not from our modules."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from latelier.checkpoints.importers.source import LocalSource

Shapes = dict[str, tuple[int, ...]]
TABLES = (
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
)


def layer(name: str, *shape: int, bias: bool = True) -> Shapes:
    """Return a weight of this shape and a bias of its first axis."""
    found: Shapes = {f"{name}.weight": shape}
    if bias:
        found[f"{name}.bias"] = shape[:1]
    return found


def res_block(name: str, before: int, after: int, emb: int, scale_shift: bool) -> Shapes:
    shapes = {
        **layer(f"{name}.in_layers.0", before),
        **layer(f"{name}.in_layers.2", after, before, 3, 3),
        **layer(f"{name}.emb_layers.1", after * (2 if scale_shift else 1), emb),
        **layer(f"{name}.out_layers.0", after),
        **layer(f"{name}.out_layers.3", after, after, 3, 3),
    }
    if before != after:
        shapes |= layer(f"{name}.skip_connection", after, before, 1, 1)
    return shapes


def attention(name: str, width: int, p: Mapping[str, Any], level: int) -> Shapes:
    if not p.get("use_spatial_transformer"):
        return {
            **layer(f"{name}.norm", width),
            **layer(f"{name}.qkv", 3 * width, width, 1),
            **layer(f"{name}.proj_out", width, width, 1),
        }
    kernel = () if p.get("use_linear_in_transformer") else (1, 1)
    shapes = {
        **layer(f"{name}.norm", width),
        **layer(f"{name}.proj_in", width, width, *kernel),
        **layer(f"{name}.proj_out", width, width, *kernel),
    }
    depth = p.get("transformer_depth", 1)
    for index in range(depth if isinstance(depth, int) else depth[level]):
        block = f"{name}.transformer_blocks.{index}"
        for kind, context in (("attn1", width), ("attn2", p["context_dim"])):
            shapes |= layer(f"{block}.{kind}.to_q", width, width, bias=False)
            shapes |= layer(f"{block}.{kind}.to_k", width, context, bias=False)
            shapes |= layer(f"{block}.{kind}.to_v", width, context, bias=False)
            shapes |= layer(f"{block}.{kind}.to_out.0", width, width)
        shapes |= layer(f"{block}.ff.net.0.proj", 8 * width, width)
        shapes |= layer(f"{block}.ff.net.2", width, 4 * width)
        for norm in ("norm1", "norm2", "norm3"):
            shapes |= layer(f"{block}.{norm}", width)
    return shapes


def unet_shapes(p: Mapping[str, Any]) -> Shapes:
    """Return names and shapes of a UNet, without their prefix, from the parameters of its YAML."""
    mc, mult, blocks = p["model_channels"], p["channel_mult"], p["num_res_blocks"]
    emb, scale_shift, updown = (
        4 * mc,
        p.get("use_scale_shift_norm", False),
        p.get("resblock_updown", False),
    )
    shapes = {**layer("time_embed.0", emb, mc), **layer("time_embed.2", emb, emb)}
    if "adm_in_channels" in p:
        shapes |= layer("label_emb.0.0", emb, p["adm_in_channels"])
        shapes |= layer("label_emb.0.2", emb, emb)
    shapes |= layer("input_blocks.0.0", mc, p["in_channels"], 3, 3)
    skips, width, index = [mc], mc, 1
    for level, multiple in enumerate(mult):
        for _ in range(blocks):
            after = mc * multiple
            shapes |= res_block(f"input_blocks.{index}.0", width, after, emb, scale_shift)
            width = after
            if 2**level in p["attention_resolutions"]:
                shapes |= attention(f"input_blocks.{index}.1", width, p, level)
            skips.append(width)
            index += 1
        if level < len(mult) - 1:
            name = f"input_blocks.{index}.0"
            shapes |= (
                res_block(name, width, width, emb, scale_shift)
                if updown
                else layer(f"{name}.op", width, width, 3, 3)
            )
            skips.append(width)
            index += 1
    shapes |= res_block("middle_block.0", width, width, emb, scale_shift)
    shapes |= attention("middle_block.1", width, p, len(mult) - 1)
    shapes |= res_block("middle_block.2", width, width, emb, scale_shift)
    index = 0
    for level, multiple in reversed(list(enumerate(mult))):
        for i in range(blocks + 1):
            after = mc * multiple
            name = f"output_blocks.{index}"
            shapes |= res_block(f"{name}.0", width + skips.pop(), after, emb, scale_shift)
            width, last = after, 1
            if 2**level in p["attention_resolutions"]:
                shapes |= attention(f"{name}.1", width, p, level)
                last = 2
            if level and i == blocks:
                shapes |= (
                    res_block(f"{name}.{last}", width, width, emb, scale_shift)
                    if updown
                    else layer(f"{name}.{last}.conv", width, width, 3, 3)
                )
            index += 1
    return {**shapes, **layer("out.0", width), **layer("out.2", p["out_channels"], width, 3, 3)}


def resnet(name: str, before: int, after: int) -> Shapes:
    shapes = {
        **layer(f"{name}.norm1", before),
        **layer(f"{name}.conv1", after, before, 3, 3),
        **layer(f"{name}.norm2", after),
        **layer(f"{name}.conv2", after, after, 3, 3),
    }
    if before != after:
        shapes |= layer(f"{name}.nin_shortcut", after, before, 1, 1)
    return shapes


def pixel_attention(name: str, width: int) -> Shapes:
    shapes = layer(f"{name}.norm", width)
    for each in ("q", "k", "v", "proj_out"):
        shapes |= layer(f"{name}.{each}", width, width, 1, 1)
    return shapes


def autoencoder_shapes(params: Mapping[str, Any]) -> Shapes:
    """Return names and shapes of an autoencoder, without their prefix, from its YAML."""
    d, embed = params["ddconfig"], params["embed_dim"]
    ch, z, blocks, levels = d["ch"], d["z_channels"], d["num_res_blocks"], len(d["ch_mult"])
    widths = [ch * multiple for multiple in d["ch_mult"]]
    attends = [d["resolution"] // 2**i in d["attn_resolutions"] for i in range(levels)]
    vanilla = d.get("attn_type", "vanilla") != "none"
    moments = 2 if d["double_z"] else 1

    def middle(side: str) -> Shapes:
        found = resnet(f"{side}.mid.block_1", widths[-1], widths[-1])
        found |= resnet(f"{side}.mid.block_2", widths[-1], widths[-1])
        return found | (pixel_attention(f"{side}.mid.attn_1", widths[-1]) if vanilla else {})

    shapes = layer("encoder.conv_in", ch, d["in_channels"], 3, 3)
    for i, (before, after) in enumerate(pairwise([ch, *widths])):
        for j in range(blocks):
            shapes |= resnet(f"encoder.down.{i}.block.{j}", after if j else before, after)
            if attends[i] and vanilla:
                shapes |= pixel_attention(f"encoder.down.{i}.attn.{j}", after)
        if i < levels - 1:
            shapes |= layer(f"encoder.down.{i}.downsample.conv", after, after, 3, 3)
    shapes |= middle("encoder") | layer("encoder.norm_out", widths[-1])
    shapes |= layer("encoder.conv_out", moments * z, widths[-1], 3, 3)
    shapes |= layer("decoder.conv_in", widths[-1], z, 3, 3) | middle("decoder")
    width = widths[-1]
    for i in reversed(range(levels)):
        for j in range(blocks + 1):
            shapes |= resnet(f"decoder.up.{i}.block.{j}", width, widths[i])
            width = widths[i]
            if attends[i] and vanilla:
                shapes |= pixel_attention(f"decoder.up.{i}.attn.{j}", width)
        if i:
            shapes |= layer(f"decoder.up.{i}.upsample.conv", width, width, 3, 3)
    shapes |= layer("decoder.norm_out", width)
    shapes |= layer("decoder.conv_out", d["out_ch"], width, 3, 3)
    shapes |= layer("quant_conv", moments * embed, moments * z, 1, 1)
    shapes |= layer("post_quant_conv", z, embed, 1, 1)
    if "n_embed" in params:
        shapes["quantize.embedding.weight"] = (params["n_embed"], embed)
    return shapes


def bert_shapes(params: Mapping[str, Any]) -> Shapes:
    """Return names and shapes of the text or layout encoder, without their prefix."""
    d, vocab = params["n_embed"], params.get("vocab_size", 30522)
    shapes: Shapes = {
        "transformer.token_emb.weight": (vocab, d),
        "transformer.pos_emb.emb.weight": (params.get("max_seq_len", 77), d),
        **layer("transformer.norm", d),
        **layer("transformer.to_logits", vocab, d),
    }
    for k in range(params["n_layer"]):
        for i, inner in ((2 * k, "attention"), (2 * k + 1, "feed-forward")):
            name = f"transformer.attn_layers.layers.{i}"
            shapes |= layer(f"{name}.0", d)
            if inner == "attention":
                for each in ("to_q", "to_k", "to_v"):
                    shapes |= layer(f"{name}.1.{each}", 512, d, bias=False)
                shapes |= layer(f"{name}.1.to_out", d, 512)
            else:
                shapes |= layer(f"{name}.1.net.0.0", 4 * d, d) | layer(f"{name}.1.net.2", d, 4 * d)
    return shapes


def clip_shapes(prefix: str = "transformer.text_model.") -> Shapes:
    """Return names and shapes of CLIP ViT-L/14's text encoder as transformers has it."""
    shapes: Shapes = {
        f"{prefix}embeddings.token_embedding.weight": (49408, 768),
        f"{prefix}embeddings.position_embedding.weight": (77, 768),
        f"{prefix}embeddings.position_ids": (1, 77),
        **layer(f"{prefix}final_layer_norm", 768),
    }
    for i in range(12):
        block = f"{prefix}encoder.layers.{i}"
        for each in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= layer(f"{block}.self_attn.{each}", 768, 768)
        shapes |= layer(f"{block}.mlp.fc1", 3072, 768) | layer(f"{block}.mlp.fc2", 768, 3072)
        shapes |= layer(f"{block}.layer_norm1", 768) | layer(f"{block}.layer_norm2", 768)
    return shapes


def open_clip_shapes(width: int = 1024, layers: int = 24) -> Shapes:
    """Return names and shapes of the text encoder of OpenCLIP ViT-H/14, or of a wider one."""
    shapes: Shapes = {
        "model.token_embedding.weight": (49408, width),
        "model.positional_embedding": (77, width),
        "model.text_projection": (width, width),
        "model.logit_scale": (),
        **layer("model.ln_final", width),
    }
    inner = 4 * width
    for i in range(layers):
        block = f"model.transformer.resblocks.{i}"
        shapes |= {
            f"{block}.attn.in_proj_weight": (3 * width, width),
            f"{block}.attn.in_proj_bias": (3 * width,),
        }
        shapes |= layer(f"{block}.attn.out_proj", width, width)
        shapes |= layer(f"{block}.mlp.c_fc", inner, width)
        shapes |= layer(f"{block}.mlp.c_proj", width, inner)
        shapes |= layer(f"{block}.ln_1", width) | layer(f"{block}.ln_2", width)
    return shapes


def conditioner_shapes(node: Any) -> Shapes:
    name, p = node["target"].rpartition(".")[2], node.get("params", {})
    if name == "ClassEmbedder":
        return {"embedding.weight": (p["n_classes"], p["embed_dim"])}
    if name == "BERTEmbedder":
        return bert_shapes(p)
    if name == "SpatialRescaler":
        return {"channel_mapper.weight": (p["out_channels"], p["in_channels"], 1, 1)}
    if name == "FrozenCLIPEmbedder":
        return clip_shapes()
    if name == "FrozenOpenCLIPEmbedder":
        return open_clip_shapes()
    return {}


def checkpoint_shapes(config: Mapping[str, Any]) -> Shapes:
    """Return names and shapes of the weights of a whole checkpoint."""
    params = config["model"]["params"]
    first = autoencoder_shapes(params["first_stage_config"]["params"])
    unet = unet_shapes(params["unet_config"]["params"])
    shapes = {f"model.diffusion_model.{name}": shape for name, shape in unet.items()}
    shapes |= {f"first_stage_model.{name}": shape for name, shape in first.items()}
    node = params.get("cond_stage_config", "__is_unconditional__")
    if node == "__is_first_stage__":
        shapes |= {f"cond_stage_model.{name}": shape for name, shape in first.items()}
    elif isinstance(node, Mapping):
        own = conditioner_shapes(node)
        shapes |= {f"cond_stage_model.{name}": shape for name, shape in own.items()}
    return shapes


def checkpoint_of(
    config: Mapping[str, Any], make: Callable[[tuple[int, ...]], Tensor]
) -> dict[str, Tensor]:
    """Return the tensors of a whole checkpoint, averages and tables included."""
    params = config["model"]["params"]
    tensors = {name: make(shape) for name, shape in checkpoint_shapes(config).items()}
    if params.get("use_ema", True):
        for name in [name for name in tensors if name.startswith("model.")]:
            flat = name.removeprefix("model.").replace(".", "")
            tensors[f"model_ema.{flat}"] = make(tuple(tensors[name].shape))
        tensors["model_ema.decay"] = torch.tensor(0.9999)
        tensors["model_ema.num_updates"] = torch.tensor(7, dtype=torch.int32)
    ends = (params["linear_start"] ** 0.5, params["linear_end"] ** 0.5)
    betas = torch.linspace(*ends, params["timesteps"], dtype=torch.float64) ** 2
    tensors |= dict.fromkeys(TABLES, betas.float())
    if params.get("scale_by_std"):
        tensors["scale_factor"] = torch.tensor(0.25)
    return tensors


@pytest.fixture(scope="session")
def compvis_checkpoint() -> Callable[..., dict[str, Tensor]]:
    """`checkpoint_of`."""
    return checkpoint_of


@pytest.fixture(scope="session")
def published_yaml() -> Callable[[str], dict[str, Any]]:
    """The numbers that a model was published with, by its name."""

    def read(name: str) -> dict[str, Any]:
        path = Path(__file__).parent / "published" / f"{name}.yaml"
        values: dict[str, Any] = yaml.safe_load(path.read_text())
        return values

    return read


UNET_XL = {
    "out_channels": 4,
    "num_res_blocks": 2,
    "attention_resolutions": (4, 2),
    "use_spatial_transformer": True,
    "use_linear_in_transformer": True,
}
BASE_XL = {
    "model_channels": 320,
    "channel_mult": (1, 2, 4),
    "transformer_depth": (1, 2, 10),
    "context_dim": 2048,
    "adm_in_channels": 2816,
}
REFINER_XL = {
    "model_channels": 384,
    "channel_mult": (1, 2, 4, 4),
    "transformer_depth": 4,
    "context_dim": 1280,
    "adm_in_channels": 2560,
}
KL_F8 = {
    "embed_dim": 4,
    "ddconfig": {
        "double_z": True,
        "z_channels": 4,
        "resolution": 256,
        "in_channels": 3,
        "out_ch": 3,
        "ch": 128,
        "ch_mult": (1, 2, 4, 4),
        "num_res_blocks": 2,
        "attn_resolutions": (),
    },
}


def sdxl_shapes(*, refiner: bool = False, channels: int = 4) -> Shapes:
    """Return names and shapes of a single file of Stable Diffusion XL."""
    variant = REFINER_XL if refiner else BASE_XL
    parts = {
        "model.diffusion_model.": unet_shapes({**UNET_XL, **variant, "in_channels": channels}),
        "first_stage_model.": autoencoder_shapes(KL_F8),
        f"conditioner.embedders.{0 if refiner else 1}.": open_clip_shapes(1280, 32),
        "": {"denoiser.sigmas": (1000,)},
    }
    if not refiner:
        parts["conditioner.embedders.0."] = clip_shapes()
    return {
        f"{prefix}{name}": shape for prefix, own in parts.items() for name, shape in own.items()
    }


@pytest.fixture(scope="session")
def sdxl_file() -> Callable[..., Shapes]:
    """`sdxl_shapes`."""
    return sdxl_shapes


@pytest.fixture(scope="session")
def compvis_autoencoder() -> Callable[..., Shapes]:
    """`autoencoder_shapes`."""
    return autoencoder_shapes


class Drawn:
    """Makes tensors of random numbers, small enough that deep networks stay finite."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def __call__(self, shape: tuple[int, ...]) -> Tensor:
        fan = max(1, torch.Size(shape[1:]).numel()) if len(shape) > 1 else 4
        return torch.randn(shape, generator=self.generator) / fan**0.5


@pytest.fixture
def drawn() -> Drawn:
    """Random tensors, the same in every test."""
    return Drawn()


class Given(LocalSource):
    """A source whose tensors are at hand, on the meta device for one."""

    def shapes(self) -> Shapes:
        return {name: tuple(tensor.shape) for name, tensor in self.tensors().items()}

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.options["tensors"])


@pytest.fixture
def given(tmp_path: Path) -> Callable[..., Given]:
    """A source of a YAML and tensors, without files."""

    def make(config: Mapping[str, Any] | None, tensors: Mapping[str, Tensor]) -> Given:
        return Given(tmp_path, None, config, {"tensors": tensors})

    return make


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is converted is kept in a folder of the test's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
