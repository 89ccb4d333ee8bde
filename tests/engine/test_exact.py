"""In an exact engine a picture has the same bits alone and among others, and replays identical."""

import pytest
import torch

from latelier.engine import Engine
from latelier.pipeline import load
from latelier.pipeline.replay.replay import replay

REQUESTS = [
    {"prompt": "a cat", "seed": 1, "steps": 4, "sampler": "heun"},
    {"prompt": "a dog", "seed": 2, "steps": 6, "guidance": 1.0},
    {"prompt": "a red cat in a meadow", "seed": 3, "n": 2, "sampler": "dpmpp_2m_sde"},
    {"label": "dog", "seed": 4, "steps": 5, "sampler": "unipc"},
    {"prompt": "a cat", "negative": "fog", "seed": 6, "guidance": {"name": "apg"}},
    {"prompt": "a cat", "seed": 5, "guidance": {"name": "pag"}},
    {"prompt": "a cat", "seed": 7, "size": (32, 16), "window": 16},
    {"prompt": "a cat", "seed": 8, "n": 5, "steps": 2},
    {"prompt": "a cat", "seed": 9, "n": 5, "steps": 4, "acceleration": "deep_cache"},
    {"prompt": "a dog", "seed": 10, "acceleration": {"name": "token_merging", "min_tokens": 4}},
]


class RowDependent:
    """A denoiser whose bits depend on the rows and on the structure of a call, as of large ones."""

    def __init__(self, denoiser):
        self.denoiser = denoiser
        self.config = denoiser.config

    def __call__(self, x, t, condition, control=None):
        text = condition.streams["text"]
        structure = len(x) + text.tokens.shape[1] + (text.mask is None) + len(condition.vectors)
        return self.denoiser(x, t, condition, control) + 1e-5 * structure


@pytest.fixture
def row_dependent(tiny):
    return tiny.with_denoiser(RowDependent(tiny.denoiser))


def latents(engine, requests):
    """Return the finished latents of jobs that run at the same time."""
    jobs = [engine.submit(**request) for request in requests]
    return [list(job)[-1].latents for job in jobs]


def test_latents_have_the_same_bits_alone_and_among_others(row_dependent):
    with Engine(row_dependent, rows=8, exact=True) as engine:
        alone = [latents(engine, [request])[0] for request in REQUESTS]
        among_8 = latents(engine, REQUESTS)
        among_5 = latents(engine, REQUESTS[3:])
    assert all(map(torch.equal, alone, among_8))
    assert all(map(torch.equal, alone[3:], among_5))


def test_every_call_has_the_rows_of_the_engine(tamper):
    pipe, denoiser = tamper()
    with Engine(pipe, rows=4, exact=True) as engine:
        latents(engine, REQUESTS)
        calls = engine.stats().calls
    assert set(denoiser.rows) == {4}
    assert calls.rows < sum(denoiser.rows)


def test_calls_with_other_parts_stay_apart(pipe_with_plugin, tamper, gate, eventually):
    """Because a part that one of them lacks would have to be filled in."""
    pipe = pipe_with_plugin("""
        from latelier import Condition

        def guidance(predict, condition, null, sigmas, /):
            return lambda x, sigma: predict(x, sigma, [Condition(condition.streams)])[0]
    """)
    pipe, denoiser = tamper(gate, pipe)
    requests = [{"prompt": "a cat", "steps": 3, "guidance": 1.0}] * 2
    requests += [{"prompt": "a cat", "steps": 3, "guidance": {"name": "plugin/guidance"}}] * 2
    with Engine(pipe.with_denoiser(RowDependent(denoiser)), rows=8, exact=True) as engine:
        jobs = [engine.submit(**request, seed=1) for request in requests]
        gate.wait()
        eventually(lambda: engine.stats().jobs.running == 4)
        gate.open()
        together = [list(job)[-1].latents for job in jobs]
        alone = [latents(engine, [{**request, "seed": 1}])[0] for request in requests]
    assert all(map(torch.equal, alone, together))


def test_without_it_the_bits_depend_on_the_others(row_dependent):
    with Engine(row_dependent, rows=64) as engine:
        (alone,) = latents(engine, REQUESTS[:1])
        among = latents(engine, REQUESTS)
    assert not torch.equal(alone, among[0])


@pytest.fixture
def saved(tiny, tmp_path, built_ins):
    tiny.save(tmp_path / "model")
    return load(tmp_path / "model", "cpu", atelier=built_ins)


def test_a_picture_of_a_busy_exact_engine_is_replayed_as_identical(saved, tmp_path, built_ins):
    with Engine(saved, rows=8, exact=True) as engine:
        jobs = [engine.submit(**request) for request in REQUESTS]
        pictures = [job.result()[-1] for job in jobs]
    for k, picture in enumerate(pictures[:4]):
        assert picture.provenance["rows"] == 8
        picture.save(tmp_path / f"{k}.png")
        report = replay(tmp_path / f"{k}.png", atelier=built_ins)
        assert (report.verdict, report.differences) == ("identical", ())
        assert report.picture.provenance == picture.provenance


def test_a_replay_makes_calls_of_the_recorded_rows(saved, tmp_path, built_ins, monkeypatch):
    with Engine(saved, rows=8, exact=True) as engine:
        (picture,) = engine.submit(prompt="a cat", seed=1).result()
    picture.save(tmp_path / "a.png")
    rows = []
    forward = type(saved.denoiser).forward
    monkeypatch.setattr(
        type(saved.denoiser),
        "forward",
        lambda self, x, *more: rows.append(len(x)) or forward(self, x, *more),
    )
    replay(tmp_path / "a.png", atelier=built_ins)
    assert set(rows) == {8}
