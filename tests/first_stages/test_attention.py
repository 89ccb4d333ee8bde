import pytest
import torch
from torch import nn

from latelier.first_stages.attention import AttnBlock, LinearAttention, build_attention
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.configs import AutoencoderKLConfig


def test_linear_attention_equals_its_formula():
    block = LinearAttention(6)
    x = torch.randn(2, 6, 3, 4, generator=torch.Generator().manual_seed(0))
    weights = block.to_qkv.weight.view(3, 6, 6)
    expected = torch.zeros(2, 6, 12)
    for image in range(2):
        q, k, v = (w @ x[image].flatten(1) for w in weights)  # (C, N) each
        share = torch.exp(k) / torch.exp(k).sum(dim=1, keepdim=True)  # over the positions
        context = sum(torch.outer(share[:, n], v[:, n]) for n in range(12))
        expected[image] = (q.T @ context).T
    out = block.to_out.weight[:, :, 0, 0] @ expected + block.to_out.bias[:, None]
    torch.testing.assert_close(block(x), out.view(2, 6, 3, 4))


def test_linear_attention_has_the_published_keys():
    shapes = {key: tuple(value.shape) for key, value in LinearAttention(6).state_dict().items()}
    assert shapes == {
        "to_qkv.weight": (18, 6, 1, 1),
        "to_out.weight": (6, 6, 1, 1),
        "to_out.bias": (6,),
    }


@pytest.mark.parametrize(
    ("kind", "block"),
    [("vanilla", AttnBlock), ("linear", LinearAttention), ("none", nn.Identity)],
)
def test_a_configuration_chooses_the_attention_of_middle_and_levels(kind, block):
    config = AutoencoderKLConfig(ch=8, ch_mult=(1, 2), num_groups=4, attn_type=kind)
    autoencoder = AutoencoderKL(config.model_copy(update={"attn_resolutions": (128,)}))
    for half in (autoencoder.encoder, autoencoder.decoder):
        assert type(half.mid.attn_1) is block
    for level in (autoencoder.encoder.down, autoencoder.decoder.up):
        assert {type(each) for each in level[1].attn} == {block}
        assert {type(each) for each in level[0].attn} == {nn.Identity}
    images = torch.zeros(1, 3, 8, 8)
    assert autoencoder.decode(autoencoder.encode(images)).shape == images.shape
    assert type(build_attention(kind, 8, 4)) is block


def test_attention_does_not_hold_the_scores_of_all_pairs():
    """The fused kernel runs: 4096 positions would need 64 MB of scores, and 64 MB of softmax."""
    block, x = AttnBlock(8, 4), torch.zeros(1, 8, 64, 64)
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profiled:
        block(x)
    largest = max(event.self_cpu_memory_usage for event in profiled.events())
    assert largest < 32e6
