"""Which self-attentions merge tokens, and by how much."""

import pytest
import torch

from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import CompatibilityError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.accelerations.token_merging import TokenMerging, token_merging

GRID = SigmaGrid((1.0, 0.0), "ve")


def attended(merging, size):
    """Return the number of tokens that are attended to, and the output."""
    tokens = torch.randn(2, size[0] * size[1], 4, generator=torch.Generator().manual_seed(0))
    counts = []

    def attend(tokens):
        counts.append(tokens.shape[1])
        return tokens

    return counts, merging(attend, tokens, size, torch.tensor([3.0, 4.0])), tokens


@pytest.mark.parametrize(("ratio", "count"), [(0.25, 48), (0.5, 32), (0.75, 16)])
def test_a_share_of_the_tokens_is_merged(ratio, count):
    counts, output, tokens = attended(TokenMerging(ratio, 64), (8, 8))
    assert counts == [count]
    assert output.shape == tokens.shape
    assert not torch.equal(output, tokens)


@pytest.mark.parametrize("size", [(7, 9), (1, 64)])
def test_small_and_narrow_maps_stay_exact(size):
    counts, output, tokens = attended(TokenMerging(0.5, 64), size)
    assert counts == [tokens.shape[1]]
    assert torch.equal(output, tokens)


def test_runs_with_equal_options_can_share_calls():
    assert TokenMerging(0.5, 64) == TokenMerging(0.5, 64)
    assert hash(TokenMerging(0.5, 64)) == hash(TokenMerging(0.5, 64))
    assert TokenMerging(0.5, 64) != TokenMerging(0.25, 64)


def test_a_denoiser_whose_attentions_cannot_be_wrapped_is_refused():
    class Plain:
        config = DenoiserConfig()

    with pytest.raises(CompatibilityError, match=r"needs .* supports 'self_attention'"):
        token_merging(Plain(), GRID)
