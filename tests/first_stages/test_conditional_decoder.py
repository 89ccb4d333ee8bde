"""What a decoder adds of known pixels: gates, surroundings, tiles."""

import pytest
import torch
from torch import nn

from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.first_stages.autoencoder_kl import AutoencoderKL
from latelier.first_stages.conditional_decoder import ConditionalDecoder, run_in_tiles
from latelier.first_stages.configs import AutoencoderKLConfig, ConditionalDecoderConfig

SMALL = {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4}


def make(inputs=("collage",), *, is_random=True, **config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        decoder = ConditionalDecoder(ConditionalDecoderConfig(inputs=inputs, channels=4, **config))
        for each in decoder.parameters() if is_random else ():
            nn.init.normal_(each, std=0.2)
    return decoder.eval().requires_grad_(False)


def draw(size=(32, 48), inputs=1, seed=0):
    """Return images and known pixels, of which the left half is covered."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 3, *size, generator=generator) * 2 - 1
    known = torch.rand(2, 4 * inputs, *size, generator=generator)
    known[:, 3::4] = 1
    known[..., size[1] // 2 :] = 0
    return images, known


def test_an_untrained_one_takes_a_little_of_what_is_known():
    images, known = draw()
    result = make(is_random=False)(images, known)
    share = torch.sigmoid(torch.tensor(-2.0))
    color = 2 * known[..., :24][:, :3] - 1
    torch.testing.assert_close(result[..., :24], torch.lerp(images[..., :24], color, share))
    assert torch.equal(result[..., 24:], images[..., 24:])


@pytest.mark.parametrize("open_input", [0, 1])
def test_each_input_has_a_gate(open_input):
    """A gate that is open takes what its input shows, by the share that it covers."""
    decoder = make(("collage", "low_resolution"), is_random=False)
    gates = decoder.conv_out.bias[12:].view(2, 4)
    gates[:] = -100
    gates[open_input] = 100
    images, known = draw(inputs=2)
    known = known * 0.5  # half transparent
    color, alpha = known[:, 4 * open_input :][:, :3], known[:, 3:4]
    expected = 2 * color - alpha + (1 - alpha) * images
    torch.testing.assert_close(decoder(images, known), expected)


@pytest.mark.parametrize("size", [(32, 48), (21, 30), (5, 3)])
def test_any_size_is_kept(size):
    images, known = draw(size)
    assert make()(images, known).shape == images.shape


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("tile", [1, 16, 64])
def test_tiles_agree_with_the_whole(blocks, tile):
    decoder, (images, known) = make(blocks=blocks), draw((200, 232))
    whole = decoder(images, known)
    torch.testing.assert_close(run_in_tiles(decoder, images, known, tile), whole)


@pytest.mark.parametrize("blocks", [1, 2])
def test_what_a_pixel_becomes_depends_on_its_surroundings_alone(blocks):
    decoder, (images, known) = make(blocks=blocks), draw((16, 448))
    reach = decoder.config.reach
    other = images.clone()
    other[..., 224] += 5
    is_changed = (decoder(images, known) != decoder(other, known)).any(dim=(0, 1, 2)).nonzero()
    assert 224 - reach <= is_changed.min() < 224 - reach + 3 * decoder.config.cell
    assert 224 + reach - 3 * decoder.config.cell < is_changed.max() <= 224 + reach


def test_a_first_stage_without_one_says_so():
    first_stage = AutoencoderKL(AutoencoderKLConfig(**SMALL))
    assert first_stage.config.known_inputs == ()
    with pytest.raises(CompatibilityError, match="no conditional decoder"):
        first_stage.add_known(*draw())


def test_the_weights_of_the_others_keep_their_names():
    plain = AutoencoderKL(AutoencoderKLConfig(**SMALL))
    config = AutoencoderKLConfig(**SMALL, conditional_decoder={"inputs": ["collage"]})
    added = AutoencoderKL(config).state_dict().keys() - plain.state_dict().keys()
    assert added
    assert all(name.startswith("conditional_decoder.") for name in added)


def test_known_pixels_of_another_size_are_refused():
    config = AutoencoderKLConfig(**SMALL, conditional_decoder={"inputs": ["collage"]})
    images, known = draw()
    expected = r"known pixels of shape \(2, 4, 32, 48\), got \(2, 4, 16, 48\)"
    with pytest.raises(InvalidInputError, match=expected):
        AutoencoderKL(config).add_known(images, known[:, :, :16])
