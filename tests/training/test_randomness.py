import pytest
import torch

from latelier.training.randomness import Draws, Purpose, philox, seed_torch

CPU = torch.device("cpu")


def test_a_sample_draws_the_same_in_every_batch():
    together = Draws(3, 7, [10, 11, 12])
    alone = Draws(3, 7, [11])
    assert torch.equal(
        together.normal(Purpose.NOISE, (4, 2, 2))[1:2], alone.normal(Purpose.NOISE, (4, 2, 2))
    )
    assert together.uniform(Purpose.TIME)[1] == alone.uniform(Purpose.TIME)[0]


def test_draws_do_not_depend_on_earlier_draws():
    draws = Draws(0, 0, [0])
    first = draws.normal(Purpose.NOISE, (8,))
    draws.uniform(Purpose.TIME)
    assert torch.equal(draws.normal(Purpose.NOISE, (8,)), first)


def test_each_of_seed_step_index_and_purpose_changes_the_numbers():
    values = {
        Draws(seed, step, [index]).uniform(purpose).item()
        for seed in (0, 1)
        for step in (0, 1)
        for index in (0, 1)
        for purpose in (Purpose.TIME, Purpose.NOISE, Purpose.DROP_FIRST, Purpose.DROP_FIRST + 1)
    }
    assert len(values) == 32


def test_noise_has_unit_variance_and_uniforms_fill_the_unit_interval():
    noise = Draws(0, 0, range(4)).normal(Purpose.NOISE, (64, 64))
    assert noise.dtype == torch.float32
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
    uniform = Draws(0, 0, range(2000)).uniform(Purpose.TIME)
    assert abs(uniform.mean() - 0.5) < 0.03
    assert uniform.min() >= 0
    assert uniform.max() < 1


def test_seed_torch_depends_on_seed_and_step_and_restores_the_global_state():
    before = torch.random.get_rng_state()
    with seed_torch(1, 2, CPU):
        first = torch.rand(4)
    with seed_torch(1, 2, CPU):
        again = torch.rand(4)
    with seed_torch(1, 3, CPU):
        other = torch.rand(4)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


# known answers published with Random123: counter, key, words
ONES = 0xFFFFFFFF
PI = ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0))


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (*PI, (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_philox_gives_the_published_answers(counter, key, words):
    tensors = [torch.tensor([word]) for word in counter]
    assert [word.item() for word in philox(tensors, key)] == list(words)


def test_large_seeds_steps_and_indices_draw_different_numbers():
    seeds, steps, indices = (0, 2**32, 2**64 - 1), (0, 2**31), (1, 2**32 + 1, 2**47)
    values = {
        Draws(seed, step, [index]).uniform(Purpose.TIME).item()
        for seed in seeds
        for step in steps
        for index in indices
    }
    assert len(values) == len(seeds) * len(steps) * len(indices)


def test_noise_is_normal_in_its_tails_and_uncorrelated():
    noise = Draws(5, 6, range(8)).normal(Purpose.NOISE, (250, 201)).double()
    for quantile, share in ((1.0, 0.31731), (2.0, 0.04550), (3.0, 0.00270)):
        measured = (noise.abs() > quantile).double().mean().item()
        assert measured == pytest.approx(share, abs=4 * (share / noise.numel()) ** 0.5)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean().abs()
    assert neighbours < 4 / noise.numel() ** 0.5
