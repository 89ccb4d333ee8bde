"""FLUX.1 at tiny width: from its published files to a picture, against diffusers."""

import math

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from einops import rearrange
from latelier_flux.configs import FluxConfig
from latelier_flux.denoiser import Flux
from latelier_flux.importer import denoiser_config
from safetensors.torch import save_file

import latelier
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import InvalidInputError
from latelier.diffusion.noise import PerImageNoise

AE = {
    "ch": 32,
    "ch_mult": (1, 2),
    "num_res_blocks": 1,
    "z_channels": 16,
    "embed_dim": 16,
    "use_quant_conv": False,
    "use_post_quant_conv": False,
}
SIZE = (24, 16)
H, W = 8, 12


def drawn(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def redraw(module, std):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in module.parameters():
            weights.copy_(std * torch.randn(weights.shape, generator=generator))
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="module", params=[True, False], ids=["dev", "schnell"])
def theirs(request):
    model = FluxTransformer2DModel(
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=32,
        num_attention_heads=2,
        joint_attention_dim=24,
        pooled_projection_dim=20,
        guidance_embeds=request.param,
        axes_dims_rope=(4, 14, 14),
    )
    return redraw(model, 0.1)


def published_names(model):
    """Return the weights under the names of the published files; q, k and v are fused there."""
    state = dict(model.state_dict())

    def take(name):
        return state.pop(f"{name}.weight"), state.pop(f"{name}.bias")

    def join(*names):
        return tuple(torch.cat(parts) for parts in zip(*map(take, names), strict=True))

    found = {
        "img_in": take("x_embedder"),
        "txt_in": take("context_embedder"),
        "final_layer.linear": take("proj_out"),
        "final_layer.adaLN_modulation.1": tuple(
            torch.cat(each.chunk(2)[::-1]) for each in take("norm_out.linear")
        ),
    }
    embedders = {"time_in": "timestep", "vector_in": "text", "guidance_in": "guidance"}
    for name, embedder in embedders.items():
        for layer, number in (("in_layer", 1), ("out_layer", 2)):
            path = f"time_text_embed.{embedder}_embedder.linear_{number}"
            if f"{path}.weight" in state:
                found[f"{name}.{layer}"] = take(path)
    norms = {}
    for n in range(2):
        theirs, ours = f"transformer_blocks.{n}", f"double_blocks.{n}"
        for side, norm, qkv, out, mlp, normed in (
            ("img", "norm1", ("to_q", "to_k", "to_v"), "to_out.0", "ff", ("norm_q", "norm_k")),
            (
                "txt",
                "norm1_context",
                ("add_q_proj", "add_k_proj", "add_v_proj"),
                "to_add_out",
                "ff_context",
                ("norm_added_q", "norm_added_k"),
            ),
        ):
            found[f"{ours}.{side}_mod.lin"] = take(f"{theirs}.{norm}.linear")
            found[f"{ours}.{side}_attn.qkv"] = join(*(f"{theirs}.attn.{each}" for each in qkv))
            found[f"{ours}.{side}_attn.proj"] = take(f"{theirs}.attn.{out}")
            found[f"{ours}.{side}_mlp.0"] = take(f"{theirs}.{mlp}.net.0.proj")
            found[f"{ours}.{side}_mlp.2"] = take(f"{theirs}.{mlp}.net.2")
            for name, each in zip(("query", "key"), normed, strict=True):
                scale = state.pop(f"{theirs}.attn.{each}.weight")
                norms[f"{ours}.{side}_attn.norm.{name}_norm.scale"] = scale
        theirs, ours = f"single_transformer_blocks.{n}", f"single_blocks.{n}"
        found[f"{ours}.modulation.lin"] = take(f"{theirs}.norm.linear")
        fused = [*(f"attn.{each}" for each in ("to_q", "to_k", "to_v")), "proj_mlp"]
        found[f"{ours}.linear1"] = join(*(f"{theirs}.{each}" for each in fused))
        found[f"{ours}.linear2"] = take(f"{theirs}.proj_out")
        for name, each in (("query", "norm_q"), ("key", "norm_k")):
            norms[f"{ours}.norm.{name}_norm.scale"] = state.pop(f"{theirs}.attn.{each}.weight")
    assert not state, f"not converted: {list(state)}"
    pairs = {f"{n}.{leaf}": t for n, pair in found.items() for leaf, t in zip(LEAVES, pair)}
    return {**pairs, **norms}


LEAVES = ("weight", "bias")


@pytest.fixture(scope="module")
def pipe(theirs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("flux")
    save_file(published_names(theirs), folder / "flux1.safetensors")
    registry = latelier.default_atelier().registries["first_stage"]
    ae = redraw(registry.build("autoencoder_kl", AE), 0.05)
    save_file(ae.state_dict(), folder / "ae.safetensors")
    report = latelier.import_model(
        folder / "flux1.safetensors", folder / "model", vae=str(folder / "ae.safetensors")
    )
    assert report.importer == "latelier-flux/flux"
    return latelier.load(folder / "model", "cpu", "float32")


def predict(theirs, x, sigma, text, clip, guidance):
    """Return the prediction of diffusers for latents (B, 16, h, w)."""
    h, w = x.shape[2] // 2, x.shape[3] // 2
    rows, columns = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    packed = rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=2, q=2)
    with torch.no_grad():
        out = theirs(
            packed,
            encoder_hidden_states=text,
            pooled_projections=clip,
            timestep=sigma,
            img_ids=torch.stack([torch.zeros(h * w), rows.flatten(), columns.flatten()], dim=1),
            txt_ids=torch.zeros(text.shape[1], 3),
            guidance=guidance if theirs.config.guidance_embeds else None,
        ).sample
    return rearrange(out, "b (h w) (c p q) -> b c (h p) (w q)", h=h, p=2, q=2)


def test_the_prediction_equals_that_of_diffusers(pipe, theirs):
    x, sigma, guidance = drawn(2, 16, H, W), torch.tensor([0.3, 0.9]), torch.tensor([3.5, 1.0])
    text, clip = drawn(2, 5, 24, seed=2), drawn(2, 20, seed=3)
    expected = predict(theirs, x, sigma, text, clip, guidance)
    vectors = {"clip": clip}
    if theirs.config.guidance_embeds:
        vectors["distilled_guidance"] = guidance[:, None]
    condition = Condition({"t5": Stream(text)}, vectors=vectors)
    with torch.no_grad():
        found = pipe.denoiser(x, 1000 * sigma, condition)
    assert expected.std() > 0.1
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


def request_of(pipe):
    text, clip = drawn(1, 5, 24, seed=2), drawn(1, 20, seed=3)
    inputs = {"t5": text[0].tolist(), "clip": clip[0].tolist()}
    if "distilled_guidance" in pipe.inputs:
        inputs["distilled_guidance"] = [3.5]
    return {**inputs, "size": SIZE, "steps": 3, "seed": 7}, text, clip


def test_a_picture_follows_the_published_sampling(pipe, theirs):
    request, text, clip = request_of(pipe)
    *_, last = pipe.stream(**request)
    tokens = H * W // 4
    mu = 0.5 + (1.15 - 0.5) * (tokens - 256) / (4096 - 256) if theirs.config.guidance_embeds else 0
    shifted = [math.exp(mu) / (math.exp(mu) + 1 / s - 1) for s in (1, 2 / 3, 1 / 3)]
    x = PerImageNoise([7], (16, H, W), torch.device("cpu")).initial()
    for sigma, following in zip(shifted, [*shifted[1:], 0.0], strict=True):
        guidance = torch.tensor([3.5])
        x = x + (following - sigma) * predict(
            theirs, x, torch.tensor([sigma]), text, clip, guidance
        )
    torch.testing.assert_close(last.latents, x, atol=1e-5, rtol=1e-4)
    assert last.pictures[0].image.size == SIZE


def test_a_saved_model_makes_the_same_picture(pipe, tmp_path):
    request, *_ = request_of(pipe)
    (expected,) = pipe.generate(**request)
    pipe.save(tmp_path / "model")
    (found,) = latelier.load(tmp_path / "model", "cpu", "float32").generate(**request)
    assert np.array_equal(np.asarray(found.image), np.asarray(expected.image))


def test_the_defaults_are_published_ones(pipe, theirs):
    assert pipe.defaults.steps == (28 if theirs.config.guidance_embeds else 4)
    with pytest.raises(InvalidInputError, match="size"):
        pipe.generate(**{**request_of(pipe)[0], "size": (22, 16)})  # 11 latents wide


@pytest.mark.parametrize(("guidance", "count"), [(True, 11_901_408_320), (False, 11_891_178_560)])
def test_full_width_on_the_meta_device(guidance, count):
    config = FluxConfig(guidance=guidance)
    with torch.device("meta"):
        flux = Flux(config)
    assert sum(each.numel() for each in flux.parameters()) == count
    assert FluxConfig(**denoiser_config(flux.state_dict())) == config


def test_the_distilled_guidance_is_kept_on_the_negative_side(pipe, theirs):
    if theirs.config.guidance_embeds:
        assert pipe.conditioners["distilled_guidance"].config.is_kept_in_negative


def test_latents_are_normalized_as_published(pipe):
    config = pipe.first_stage.config
    assert (config.scale_factor, config.shift_factor) == (0.3611, 0.1159)
