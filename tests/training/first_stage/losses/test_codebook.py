import pytest
import torch

from latelier.first_stages.autoencoder_vq import AutoencoderVQ
from latelier.first_stages.configs import AutoencoderVQConfig
from latelier.training.first_stage.losses.codebook import draw_rows, set_codes


@pytest.mark.parametrize("height", [8, 16])
def test_codes_are_latent_vectors_of_the_images(height):
    torch.manual_seed(0)
    config = AutoencoderVQConfig(
        ch=4, ch_mult=(1, 1), num_res_blocks=1, num_groups=2, n_embed=8, scale_factor=0.5
    )
    autoencoder = AutoencoderVQ(config)
    batches = [torch.rand(1, 3, side, 8) * 2 - 1 for side in (8, height)]
    set_codes(autoencoder, batches, seed=0)
    vectors = torch.cat(
        [(autoencoder.encode(each) / 0.5).movedim(1, -1).flatten(0, 2) for each in batches]
    )
    codes = autoencoder.quantize.embedding.weight
    distances = torch.cdist(codes, vectors, compute_mode="donot_use_mm_for_euclid_dist")
    assert distances.amin(1).max().item() < 1e-4
    assert autoencoder.training
    assert autoencoder.quantize.embedding.weight.requires_grad


def test_rows_are_drawn_once_while_there_are_enough():
    rows = torch.arange(10.0)[:, None]
    drawn = draw_rows(rows, 6, seed=0)
    assert len(set(drawn.flatten().tolist())) == 6
    assert set(drawn.flatten().tolist()) <= set(range(10))
    assert torch.equal(draw_rows(rows, 6, seed=0), drawn)
    assert not torch.equal(draw_rows(rows, 6, seed=1), drawn)


def test_rows_that_are_drawn_twice_differ_a_little():
    rows = torch.arange(4.0)[:, None]
    drawn = draw_rows(rows, 9, seed=0).flatten()
    assert len(set(drawn.tolist())) == 9
    assert set(drawn.round().tolist()) == {0.0, 1.0, 2.0, 3.0}
