"""OpenCLIP's layout: names and shapes restated here, numbers from torch's own attention."""

import pytest
import torch
from latelier import PictureGeometry
from latelier.checkpoints.importers.clip_layout import (
    clip_from_open_clip,
    projection_from_open_clip,
)
from torch import nn

from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.inputs import ClipTextConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))


class Block(nn.Module):
    """Pre-norm attention and feed-forward, as OpenCLIP names them."""

    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict(
            {"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)}
        )

    def forward(self, x, mask):
        h = self.ln_1(x)
        x = x + self.attn(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(x))))


class OpenClipText(nn.Module):
    """OpenCLIP's text tower up to the layer before the last, then the final norm."""

    def __init__(self, vocabulary, length, width, heads, layers):
        super().__init__()
        self.token_embedding = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.randn(length, width))
        self.transformer = nn.ModuleDict(
            {"resblocks": nn.ModuleList(Block(width, heads) for _ in range(layers))}
        )
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, width))
        self.logit_scale = nn.Parameter(torch.ones(()))
        mask = torch.full((length, length), -torch.inf).triu(1)
        self.register_buffer("attn_mask", mask)

    def forward(self, tokens):
        return self.ln_final(self.penultimate(tokens))

    def penultimate(self, tokens):
        x = self.token_embedding(tokens) + self.positional_embedding
        for block in self.transformer["resblocks"][:-1]:
            x = block(x, self.attn_mask)
        return x

    def pool(self, tokens, ends):
        """Return the layer before the last, and the projection of the last one at `ends`."""
        before = self.penultimate(tokens)
        last = self.transformer["resblocks"][-1](before, self.attn_mask)
        return before, self.ln_final(last)[torch.arange(len(ends)), ends] @ self.text_projection


@pytest.fixture
def theirs(clip_config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = OpenClipText(
            clip_config["vocab_size"], length=12, width=16, heads=2, layers=3
        ).eval()
        for weights in model.parameters():
            nn.init.normal_(weights, mean=0.1, std=0.3)
    return model


@pytest.fixture
def ours(new_clip):
    return new_clip(intermediate_size=64, hidden_act="gelu", layer="penultimate", pad_token_id=0)


def test_output_is_unchanged_by_the_import(theirs, ours):
    ours.load_state_dict(clip_from_open_clip(theirs.state_dict()))
    tokens = torch.randint(100, (2, 12), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        given = ours({"tokens": tokens}, GEOMETRY).stream.tokens
        torch.testing.assert_close(given, theirs(tokens), rtol=1e-5, atol=1e-5)


def test_the_pooled_text_is_unchanged_by_the_import(theirs, new_clip):
    """As in SDXL: the layer before the last without norm, and the projected end token."""
    ours = new_clip(
        intermediate_size=64,
        hidden_act="gelu",
        layer="penultimate",
        final_norm=False,
        pooled="projected",
        pad_token_id=0,
    )
    state = theirs.state_dict()
    ours.load_state_dict(clip_from_open_clip(state) | projection_from_open_clip(state))
    end = ours.config.eos_token_id
    tokens = torch.tensor([[end - 1, 5, 7, end, *[0] * 8], [end - 1, 9, end, *[0] * 9]])
    with torch.no_grad():
        part = ours({"tokens": tokens}, GEOMETRY)
        states, pooled = theirs.pool(tokens, torch.tensor([3, 2]))
    torch.testing.assert_close(part.stream.tokens, states, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(part.vector, pooled, rtol=1e-5, atol=1e-5)


def test_every_name_is_mapped_without_changing_the_input(theirs, ours):
    state = theirs.state_dict()
    before = {name: tensor.clone() for name, tensor in state.items()}
    assert clip_from_open_clip(state).keys() == ours.state_dict().keys()
    assert state.keys() == before.keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


def test_other_names_are_kept(theirs, ours):
    state = {**theirs.state_dict(), "transformer.resblocks.0.extra.weight": torch.ones(1)}
    with pytest.raises(RuntimeError, match=r"Unexpected key.*encoder\.layers\.0\.extra\.weight"):
        ours.load_state_dict(clip_from_open_clip({**state, "visual.proj": torch.ones(1)}))


def test_the_size_matches_the_publication():
    """ViT-H/14's text tower: 24 layers of width 1024, under 'cond_stage_model.model.'."""
    with torch.device("meta"):
        theirs = OpenClipText(49408, length=77, width=1024, heads=16, layers=24)
        ours = ClipTextConditioner(
            ClipTextConfig(
                hidden_size=1024,
                intermediate_size=4096,
                num_hidden_layers=24,
                num_attention_heads=16,
                hidden_act="gelu",
                pad_token_id=0,
                layer="penultimate",
            )
        )
    found = clip_from_open_clip(theirs.state_dict())
    wanted = ours.state_dict()
    assert {name: t.shape for name, t in found.items()} == {n: t.shape for n, t in wanted.items()}
    run = [p.numel() for name, p in ours.named_parameters() if ".layers.23." not in name]
    assert sum(run) == 340_387_840
