import torch

from latelier.training.randomness import Draws, Purpose, seed_torch

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
