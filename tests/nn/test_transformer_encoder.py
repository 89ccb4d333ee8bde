"""The published encoder: its keys, its parameter counts, and its numbers by independent means."""

import math

import pytest
import torch
from torch import Tensor

from latelier.nn.transformer_encoder import TransformerEncoder

WIDTH, LAYERS, VOCABULARY, LENGTH = 24, 2, 40, 11


@pytest.fixture(scope="module")
def encoder() -> TransformerEncoder:
    """A small encoder with random weights everywhere, norms and biases included."""
    generator = torch.Generator().manual_seed(0)
    model = TransformerEncoder(WIDTH, LAYERS, VOCABULARY, LENGTH).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model


@pytest.fixture(scope="module")
def tokens() -> Tensor:
    return torch.randint(VOCABULARY, (3, LENGTH), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("width", "layers", "vocab_size", "length", "total"),
    [
        (1280, 32, 30522, 77, 581_994_042),
        (640, 32, 30522, 77, 186_154_682),
        (512, 16, 8192, 92, 58_858_496),
    ],
)
def test_parameter_count_matches_the_published_model(
    width: int, layers: int, vocab_size: int, length: int, total: int
) -> None:
    with torch.device("meta"):
        model = TransformerEncoder(width, layers, vocab_size, length)
    unused_logits = width * vocab_size + vocab_size
    assert sum(p.numel() for p in model.parameters()) + unused_logits == total


def test_keys_match_the_published_model() -> None:
    with torch.device("meta"):
        model = TransformerEncoder(640, 1, 30522, 77)
    attention, feed_forward = "attn_layers.layers.0", "attn_layers.layers.1"
    assert {key: tuple(value.shape) for key, value in model.state_dict().items()} == {
        "token_emb.weight": (30522, 640),
        "pos_emb.emb.weight": (77, 640),
        f"{attention}.0.weight": (640,),
        f"{attention}.0.bias": (640,),
        f"{attention}.1.to_q.weight": (512, 640),
        f"{attention}.1.to_k.weight": (512, 640),
        f"{attention}.1.to_v.weight": (512, 640),
        f"{attention}.1.to_out.weight": (640, 512),
        f"{attention}.1.to_out.bias": (640,),
        f"{feed_forward}.0.weight": (640,),
        f"{feed_forward}.0.bias": (640,),
        f"{feed_forward}.1.net.0.0.weight": (2560, 640),
        f"{feed_forward}.1.net.0.0.bias": (2560,),
        f"{feed_forward}.1.net.2.weight": (640, 2560),
        f"{feed_forward}.1.net.2.bias": (640,),
        "norm.weight": (640,),
        "norm.bias": (640,),
    }


def test_embeddings_are_initialised_small() -> None:
    model = TransformerEncoder(64, 0, 500, 77)
    for weight in (model.token_emb.weight, model.pos_emb.emb.weight):
        assert 0.019 < weight.std().item() < 0.021


def test_output_equals_the_formulas(encoder: TransformerEncoder, tokens: Tensor) -> None:
    w = {key: value.double() for key, value in encoder.state_dict().items()}
    expected = torch.stack([by_formula(w, row) for row in tokens])
    torch.testing.assert_close(encoder(tokens).double(), expected, rtol=1e-5, atol=1e-5)


def by_formula(w: dict[str, Tensor], ids: Tensor) -> Tensor:
    """Return the encoding (N, D) of ids (N,), head by head, in double precision."""
    x = torch.stack([w["token_emb.weight"][i] for i in ids]) + w["pos_emb.emb.weight"]
    for layer in range(LAYERS):
        at = f"attn_layers.layers.{2 * layer}"
        h = normed(x, w[f"{at}.0.weight"], w[f"{at}.0.bias"])
        heads = []
        for head in range(8):
            rows = slice(64 * head, 64 * (head + 1))
            q, k, v = (h @ w[f"{at}.1.to_{name}.weight"][rows].T for name in "qkv")
            weights = torch.exp(q @ k.T / 8)
            heads.append(weights / weights.sum(1, keepdim=True) @ v)
        x = x + torch.cat(heads, 1) @ w[f"{at}.1.to_out.weight"].T + w[f"{at}.1.to_out.bias"]
        at = f"attn_layers.layers.{2 * layer + 1}"
        h = normed(x, w[f"{at}.0.weight"], w[f"{at}.0.bias"])
        h = h @ w[f"{at}.1.net.0.0.weight"].T + w[f"{at}.1.net.0.0.bias"]
        h = h * (1 + torch.erf(h / math.sqrt(2))) / 2
        x = x + h @ w[f"{at}.1.net.2.weight"].T + w[f"{at}.1.net.2.bias"]
    return normed(x, w["norm.weight"], w["norm.bias"])


def normed(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(1, keepdim=True)
    return centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt() * weight + bias


def test_output_equals_diffusers(encoder: TransformerEncoder, tokens: Tensor) -> None:
    pytest.importorskip("transformers")
    from diffusers.pipelines.latent_diffusion.pipeline_latent_diffusion import (
        LDMBertConfig,
        LDMBertModel,
    )

    config = LDMBertConfig(
        vocab_size=VOCABULARY,
        max_position_embeddings=LENGTH,
        encoder_layers=LAYERS,
        encoder_ffn_dim=4 * WIDTH,
        encoder_attention_heads=8,
        head_dim=64,
        d_model=WIDTH,
    )
    theirs = LDMBertModel(config).eval()
    unused = {k: v for k, v in theirs.state_dict().items() if k.startswith("to_logits")}
    theirs.load_state_dict({**as_in_diffusers(encoder.state_dict()), **unused})
    with torch.no_grad():
        expected = theirs(tokens)[0]
    torch.testing.assert_close(encoder(tokens), expected, rtol=1e-5, atol=1e-5)


def as_in_diffusers(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {
        "token_emb": "model.embed_tokens",
        "pos_emb.emb": "model.embed_positions",
        "norm": "model.layer_norm",
    }
    for layer in range(LAYERS):
        ours, theirs = f"attn_layers.layers.{2 * layer}", f"model.layers.{layer}"
        names[f"{ours}.0"] = f"{theirs}.self_attn_layer_norm"
        for each in "qkv":
            names[f"{ours}.1.to_{each}"] = f"{theirs}.self_attn.{each}_proj"
        names[f"{ours}.1.to_out"] = f"{theirs}.self_attn.out_proj"
        ours = f"attn_layers.layers.{2 * layer + 1}"
        names[f"{ours}.0"] = f"{theirs}.final_layer_norm"
        names[f"{ours}.1.net.0.0"] = f"{theirs}.fc1"
        names[f"{ours}.1.net.2"] = f"{theirs}.fc2"
    parts = {key: key.rpartition(".") for key in state}
    return {f"{names[parts[key][0]]}.{parts[key][2]}": value for key, value in state.items()}


def test_a_row_does_not_depend_on_its_batch(encoder: TransformerEncoder, tokens: Tensor) -> None:
    together = encoder(tokens)
    for row in range(len(tokens)):
        torch.testing.assert_close(encoder(tokens[row : row + 1])[0], together[row])


def test_every_token_attends_to_every_other(encoder: TransformerEncoder, tokens: Tensor) -> None:
    other = tokens.clone()
    other[:, -1] = (other[:, -1] + 1) % VOCABULARY
    assert ((encoder(other) - encoder(tokens)).abs().amax(2) > 1e-4).all()
