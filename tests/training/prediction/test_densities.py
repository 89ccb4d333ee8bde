import math
from statistics import NormalDist

import pytest
import torch

from latelier.contracts.errors import InvalidConfigError
from latelier.diffusion.processes.kinds import process_from
from latelier.diffusion.processes.vp import VP
from latelier.training.configs.noise import (
    LogitNormalNoise,
    LogNormalNoise,
    MixtureNoise,
    MixturePart,
    ShiftedNoise,
    StepsNoise,
    UniformNoise,
)
from latelier.training.prediction.densities import (
    check_noise,
    default_noise,
    draw_sigmas,
    level_shares,
    sigmas_at,
    stratified_uniform,
)
from latelier.training.prediction.levels import bin_levels, to_level
from latelier.training.randomness import Draws

FLOW = process_from({"kind": "rectified_flow"})
EDM = process_from({"kind": "edm"})
EDGES = (0.2, 0.4, 0.6, 0.8)
UNIFORM = [0.2] * 5


def logit_normal_shares(mean, std):
    below = [NormalDist(mean, std).cdf(math.log(edge / (1 - edge))) for edge in EDGES]
    return [high - low for low, high in zip([0, *below], [*below, 1], strict=True)]


def mixture(*parts):
    return MixtureNoise(parts=tuple(MixturePart(weight=w, noise=noise) for w, noise in parts))


@pytest.mark.parametrize("process", [FLOW, EDM, VP()], ids=["flow", "edm", "vp"])
@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (LogitNormalNoise(mean=1.5, std=1.2), logit_normal_shares(1.5, 1.2)),
        (LogNormalNoise(), logit_normal_shares(-1.2, 1.2)),
        (
            ShiftedNoise(noise=LogitNormalNoise(mean=0.5), factor=3.0),
            logit_normal_shares(0.5 + math.log(3), 1.0),
        ),
        (
            ShiftedNoise(noise=LogitNormalNoise(), base_pixels=16),  # 64 pixels: a factor of 2
            logit_normal_shares(math.log(2), 1.0),
        ),
        (
            mixture((1, LogitNormalNoise(mean=-1)), (3, LogitNormalNoise(mean=1.2))),
            [
                0.25 * low + 0.75 * high
                for low, high in zip(
                    logit_normal_shares(-1, 1), logit_normal_shares(1.2, 1), strict=True
                )
            ],
        ),
    ],
    ids=["logit-normal", "log-normal", "shifted", "shifted-by-size", "mixture"],
)
def test_samples_and_shares_follow_the_density(noise, expected, process):
    assert level_shares(noise, process, 64) == pytest.approx(expected, abs=0.002)
    sigmas = draw_sigmas(noise, process, Draws(0, 0, range(4000)), 64)
    drawn = torch.bincount(bin_levels(to_level(sigmas, process)), minlength=5) / 4000
    assert drawn.tolist() == pytest.approx(expected, abs=0.005)
    assert process.sigma_min <= sigmas.min()
    assert sigmas.max() <= process.sigma_max


def test_the_uniform_density_covers_the_levels_of_the_process():
    assert level_shares(UniformNoise(), FLOW, 64) == pytest.approx(UNIFORM, abs=0.001)
    u = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    low, middle, high = to_level(sigmas_at(UniformNoise(), u, VP(), 64), VP()).tolist()
    assert middle == pytest.approx((low + high) / 2)
    assert VP().sigma_min / (1 + VP().sigma_min) == pytest.approx(low)


def test_steps_are_drawn_uniformly_at_whole_timesteps():
    process = VP(steps=10)
    u = torch.tensor([0.0, 0.05, 0.1, 0.55, 0.99, 1.0], dtype=torch.float64)
    sigmas = sigmas_at(StepsNoise(), u, process, 64)
    assert sigmas.tolist() == [process.sigmas[t] for t in (0, 0, 1, 5, 9, 9)]
    assert process.timestep(sigmas).tolist() == [0, 0, 1, 5, 9, 9]


def test_the_default_of_a_flow_has_both_ends():
    shares = level_shares(default_noise(FLOW), FLOW, 256)
    expected = [0.6 * 0.2 + 0.4 * high for high in logit_normal_shares(1.2, 1.0)]
    assert shares == pytest.approx(expected, abs=0.002)
    assert isinstance(default_noise(VP()), StepsNoise)
    assert default_noise(EDM) == LogNormalNoise(mean=-1.2, std=1.2)


def test_steps_need_a_process_of_steps():
    noise = mixture((1, UniformNoise()), (1, ShiftedNoise(noise=StepsNoise())))
    check_noise(noise, VP())
    with pytest.raises(InvalidConfigError, match=r"'steps' is for a 'vp' process.*rectified_flow"):
        check_noise(noise, FLOW)


def test_every_batch_covers_the_quantiles_evenly():
    for step in range(20):
        u = stratified_uniform(Draws(7, step, range(64 * step, 64 * (step + 1))))
        counts = torch.bincount((u * 8).long(), minlength=8)
        assert (counts - 8).abs().max() <= 1


def test_a_number_depends_on_seed_step_and_position_alone():
    together = stratified_uniform(Draws(1, 2, [5, 6, 7, 2**40]))
    alone = [stratified_uniform(Draws(1, 2, [k])).item() for k in (5, 6, 7, 2**40)]
    assert together.tolist() == alone
    assert together[0] != stratified_uniform(Draws(1, 3, [5]))[0]
    assert together[0] != stratified_uniform(Draws(2, 2, [5]))[0]


def test_each_number_is_uniform_over_the_steps():
    u = torch.cat([stratified_uniform(Draws(0, step, [3])) for step in range(2000)])
    counts = torch.bincount((u * 4).long(), minlength=4) / 2000
    assert counts.tolist() == pytest.approx([0.25] * 4, abs=0.04)
