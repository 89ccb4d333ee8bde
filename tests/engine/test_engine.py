"""Jobs of an engine give the pictures of `generate`, whatever runs beside them."""

from base64 import b64encode
from contextvars import ContextVar
from functools import partial
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component
from latelier.checkpoints.component import new_component
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.writing import write_changes
from latelier.contracts.errors import (
    EngineError,
    InvalidInputError,
    JobCancelledError,
    UnknownNameError,
)
from latelier.denoisers.adapter import ATTENTION_ID, create_adapter
from latelier.denoisers.configs import ProjectionConfig
from latelier.engine import Engine
from latelier.engine.rendezvous import Rendezvous
from latelier.kernel.atelier import Atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.trust.policy import Policy
from latelier.nn.low_rank import LowRank

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
LEFT = Image.fromarray(np.where(np.arange(16) < 9, 0, 255).astype(np.uint8)[None].repeat(16, 0))


def data_uri(image):
    file = BytesIO()
    image.save(file, "png")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode()


REQUESTS = {
    "heun": {"prompt": "a cat", "seed": 1, "steps": 4, "sampler": "heun"},
    "unguided": {"prompt": "a dog", "seed": 2, "steps": 6, "guidance": 1.0},
    "batches": {"prompt": "a fish", "seed": 3, "n": 3, "batch_size": 2, "sampler": "dpmpp_2m_sde"},
    "label": {"label": "dog", "seed": 4, "steps": 5, "sampler": "unipc", "schedule": "cosine"},
    "pag": {"prompt": "a red cat", "seed": 5, "guidance": {"name": "pag"}},
    "apg": {"prompt": "a cat", "negative": "a dog", "seed": 6, "guidance": {"name": "apg"}},
    "windows": {"prompt": "a cat", "seed": 7, "size": (32, 16), "window": 16},
    "other size": {"prompt": "a cat", "seed": 8, "size": 32},
    "img2img": {"prompt": "a cat", "seed": 9, "init_image": PHOTO, "strength": 0.6, "steps": 5},
    "inpainting": {"prompt": "a cat", "seed": 10, "init_image": PHOTO, "mask": LEFT},
    "rows": {"prompt": ["a cat", "a dog"], "seed": 11, "noise": "brownian", "sampler": "euler"},
    "deep_cache": {"prompt": "a cat", "seed": 13, "steps": 6, "acceleration": "deep_cache"},
    "token_merging": {
        "prompt": "a dog",
        "seed": 14,
        "acceleration": {"name": "token_merging", "min_tokens": 4},
    },
    "gradient": {
        "prompt": "a cat",
        "seed": 12,
        "guidance": {
            "name": "image_guided",
            "target": data_uri(PHOTO.resize((8, 8))),
        },
    },
}


def provenance(picture):
    return {name: value for name, value in picture.provenance.items() if name != "pixels_sha256"}


def test_mixed_jobs_give_the_pictures_of_generate(tiny, difference):
    alone = {name: tiny.generate(**request) for name, request in REQUESTS.items()}
    with Engine(tiny) as engine:
        jobs = {name: engine.submit(**request) for name, request in REQUESTS.items()}
        made = {name: job.result() for name, job in jobs.items()}
    for name in REQUESTS:
        assert difference(made[name], alone[name]) <= 1, name
        for one, other in zip(made[name], alone[name], strict=True):
            assert provenance(one) == provenance(other)


def test_runs_share_calls_whatever_their_sampler_and_guidance(tamper, gate, eventually):
    pipe, denoiser = tamper(gate)
    with Engine(pipe) as engine:
        jobs = [engine.submit(prompt="a cat", seed=1, steps=4, guidance=1.0)]
        gate.wait()
        jobs += [
            engine.submit(prompt="a dog", seed=2, steps=2, sampler="heun", guidance=1.0),
            engine.submit(label="fish", seed=3, steps=3, sampler="ddim"),
            engine.submit(prompt="a cat", negative="a dog", seed=4, steps=3, guidance=5.0),
        ]
        eventually(lambda: engine.stats().jobs.running == 4)
        gate.open()
        for job in jobs:
            job.result()
        calls = engine.stats().calls
    assert calls.calls == len(denoiser.rows) < 4 + 3 + 3 + 3
    assert calls.rows == sum(denoiser.rows) == 4 + 3 + 2 * 3 + 2 * 3
    assert max(denoiser.rows) >= 4


def test_inputs_of_jobs_are_encoded_together_and_so_are_their_latents_decoded(
    compose_tiny, monkeypatch
):
    patient = partial(Rendezvous, max_turn=20, arrival=0.5)
    monkeypatch.setattr("latelier.engine.engine.Rendezvous", patient)
    pipe, encoded, decoded = compose_tiny(), [], []
    decode = pipe.first_stage.decode

    def count_and_decode(latents):
        decoded.append(len(latents))
        return decode(latents)

    def count(_, arguments):
        encoded.append(len(arguments[0]["tokens"]))

    pipe.conditioners["text"].register_forward_pre_hook(count)
    monkeypatch.setattr(pipe.first_stage, "decode", count_and_decode)
    with Engine(pipe) as engine:
        jobs = [
            engine.submit(prompt=prompt, seed=seed, n=seed, steps=2)
            for seed, prompt in enumerate(["a cat", "a red dog", "fish"], start=1)
        ]
        for job in jobs:
            job.result()
    assert (encoded, decoded) == ([6], [6])


def test_one_job_has_the_bits_of_generate(tiny):
    (alone,) = tiny.generate(prompt="a cat", seed=1)
    with Engine(tiny) as engine:
        (made,) = engine.submit(prompt="a cat", seed=1).result()
    assert made.provenance == alone.provenance
    assert made.provenance["rows"] is None


def test_calls_have_at_most_the_rows_of_the_engine(tamper):
    pipe, denoiser = tamper()
    with Engine(pipe, rows=4) as engine:
        jobs = [engine.submit(prompt="a cat", seed=seed) for seed in range(6)]
        larger = engine.submit(prompt="a cat", n=3)
        for job in (*jobs, larger):
            job.result()
    assert max(rows for rows in denoiser.rows if rows != 6) <= 4
    assert denoiser.rows.count(6) == 3  # one run's own call stays as it is


def adapter_of(pipe):
    """An adapter with random weights, for vectors of width 3."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        module = create_adapter(pipe.denoiser, 3, ProjectionConfig(width=16))
        for weights in module.parameters():
            weights.normal_(std=0.3)
    conditioner = new_component(
        "conditioner", "embedding", {"width": 3, "max_vectors": 2}, pipe.atelier
    )
    conditioner.module.eval()
    component = adapter_component(ATTENTION_ID, module.eval().requires_grad_(False))
    return LoadedAdapter("palette", component, conditioner, "of colours")


def test_jobs_with_an_adapter_share_calls_and_change_no_other(tiny, difference):
    pipe = tiny.with_adapter(adapter_of(tiny))
    requests = [
        {"prompt": "a cat", "seed": 1, "palette": [[1.0, 0.0, 0.0]]},
        {"prompt": "a dog", "seed": 2, "palette": [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]},
        {"prompt": "a cat", "seed": 1},
    ]
    alone = [pipe.generate(**request, steps=4) for request in requests]
    assert difference(alone[0], alone[2]) > 1
    with Engine(pipe) as engine:
        jobs = [engine.submit(**request, steps=4) for request in requests * 3]
        for job, expected in zip(jobs, alone * 3, strict=True):
            assert difference(job.result(), expected) <= 1
        assert engine.stats().calls.calls < 9 * 4


def test_a_sampler_may_call_from_several_threads(pipe_with_plugin, difference):
    pipe = pipe_with_plugin("""
        from concurrent.futures import ThreadPoolExecutor
        from itertools import pairwise
        from latelier import Step

        def sampler(denoise, x, grid, /):
            for index, (sigma, to) in enumerate(pairwise(grid.sigmas)):
                with ThreadPoolExecutor(2) as pool:
                    one, other = pool.map(lambda _: denoise(x, sigma), range(2))
                denoised = (one + other) / 2
                x = denoised + (x - denoised) * (to / sigma)
                yield Step(index, to, x, denoised)
    """)
    request = {"prompt": "a cat", "seed": 1, "guidance": 1.0}
    (alone,) = pipe.generate(**request, sampler="euler")
    with Engine(pipe) as engine:
        jobs = [engine.submit(**request, sampler="plugin/sampler") for _ in range(3)]
        for job in jobs:
            assert difference(job.result(timeout=20), [alone]) <= 1


def test_a_sampler_that_changes_the_grad_mode_changes_no_other_run(pipe_with_plugin, difference):
    pipe = pipe_with_plugin("""
        import torch
        from latelier import samplers

        def sampler(denoise, x, grid, /):
            torch.set_grad_enabled(True)
            yield from samplers.get("euler")(denoise, x, grid)
    """)
    alone = pipe.generate(prompt="a cat", seed=1, sampler="euler")
    with Engine(pipe) as engine:
        changing = engine.submit(prompt="a cat", seed=1, sampler="plugin/sampler")
        other = engine.submit(prompt="a cat", seed=1, sampler="euler")
        assert difference(changing.result(), alone) <= 1
        assert difference(other.result(), alone) <= 1


def test_a_job_runs_in_the_context_of_its_caller(compose_tiny):
    user = ContextVar("user", default="nobody")
    seen = []

    class Observer:
        @hookimpl
        def latelier_images_finished(self, pictures):
            seen.append(user.get())

    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Observer(), "observer", "1.0")
    with Engine(compose_tiny(atelier)) as engine:
        user.set("ann")
        engine.submit(prompt="a cat").result()
        user.set("bob")
        engine.submit(prompt="a cat").result()
    assert seen == ["ann", "bob"]


def test_threads_of_torch_are_those_of_the_host(tamper):
    seen = []
    pipe, _ = tamper(lambda _x: seen.append(torch.get_num_threads()))
    with Engine(pipe) as engine:
        (picture,) = engine.submit(prompt="a cat", steps=1).result()
    assert seen == [torch.get_num_threads()]
    assert picture.provenance["machine"]["threads"] == torch.get_num_threads()


def test_a_request_of_a_client_opens_no_file(tiny, tmp_path):
    PHOTO.save(tmp_path / "a.png")
    request = {"inputs": {"prompt": "a cat"}, "seed": 1, "steps": 2}
    (alone,) = tiny.generate(prompt="a cat", seed=1, steps=2)
    with Engine(tiny) as engine:
        (made,) = engine.submit_json(request, client="ann").result()
        assert made.provenance == alone.provenance
        engine.submit(prompt="a cat", init_image=tmp_path / "a.png").result()
        with pytest.raises(InvalidInputError, match="init_image"):
            engine.submit_json({**request, "init_image": str(tmp_path / "a.png")})


def test_a_job_has_scales_of_adapters_of_its_own(tiny, difference):
    pipe = tiny.with_adapter(adapter_of(tiny))
    request = {"inputs": {"prompt": "a cat", "palette": [[1.0, 0.0, 0.0]]}, "seed": 1, "steps": 4}
    scales = ({}, {"palette": 0.25}, {"palette": 0})
    with Engine(pipe) as engine:
        jobs = [engine.submit_json(request, adapter_scales=each) for each in scales]
        whole, some, none = (job.result() for job in jobs)
        with pytest.raises(UnknownNameError, match="no adapter 'style'"):
            engine.submit_json(request, adapter_scales={"style": 1})
    assert difference(none, tiny.generate(prompt="a cat", seed=1, steps=4)) <= 1
    assert difference(some, whole) > 1
    assert some[0].provenance["adapters"]["palette"]["scale"] == 0.25


def test_clients_do_not_scale_weights_that_jobs_share(tiny, tmp_path):
    write_changes(
        tmp_path / "style.safetensors",
        {
            address: LowRank(
                torch.ones(1, layer.weight[0].numel()), torch.ones(len(layer.weight), 1), 1
            )
            for address, layer in find_layers(tiny.base_modules()).items()
            if address.endswith("to_q")
        },
        tiny.base_modules(),
    )
    message = "'style' changes weights, which all jobs share"
    view = tiny.with_adapter(tmp_path / "style.safetensors")
    with Engine(view) as engine, pytest.raises(InvalidInputError, match=message):
        engine.submit_json({"inputs": {"prompt": "a cat"}}, adapter_scales={"style": 0.5})


def test_a_host_can_refuse_a_plan(tiny):
    plans = []

    def admit(plan):
        plans.append((plan.count, plan.sigmas.steps))
        raise EngineError("not today")

    with Engine(tiny) as engine:
        with pytest.raises(EngineError, match="not today"):
            engine.submit_json({"inputs": {"prompt": ["a", "b"]}, "n": 3, "steps": 2}, admit=admit)
        assert engine.stats().jobs.submitted == 0
    assert plans == [(6, 2)]


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        ({"prompt": "a cat", "steps": 0}, InvalidInputError, "steps"),
        ({"prompt": "a cat", "sampler": "hein"}, UnknownNameError, "heun"),
        ({"promt": "a cat"}, UnknownNameError, "prompt"),
        ({"prompt": "cat " * 100}, InvalidInputError, "input 'prompt'"),
        ({"prompt": "a cat", "negative": "cat " * 100}, InvalidInputError, "input 'prompt'"),
        ({"prompt": "a cat", "deadline": -1}, InvalidInputError, "seconds from now, above 0"),
        ({"prompt": "a cat", "deadline": float("nan")}, InvalidInputError, "deadline"),
        ({"prompt": "a cat", "priority": "high"}, InvalidInputError, "a whole number, got 'high'"),
        ({"prompt": "a cat", "client": 7}, InvalidInputError, "client: expected a text, got 7"),
    ],
)
def test_mistakes_raise_at_submit(tiny, request_, error, message):
    with Engine(tiny) as engine:
        with pytest.raises(error, match=message):
            engine.submit(**request_)
        assert engine.stats().jobs.submitted == 0


@pytest.mark.parametrize("options", [{"rows": 0}, {"rows": 2000}, {"active": 1.5}, {"queue": -1}])
def test_an_engine_refuses_impossible_numbers(tiny, options):
    (name,) = options
    with pytest.raises(InvalidInputError, match=f"^{name}: expected 1") as found:
        Engine(tiny, **options)
    assert found.value.field == name


def test_an_input_cannot_be_called_like_an_option(compose_tiny):
    pipe = compose_tiny(inputs={"prompt": "text", "client": "label"})
    with pytest.raises(InvalidInputError, match="an input 'client', which is an option"):
        Engine(pipe)


def test_an_engine_runs_only_inside_its_block(tiny):
    engine = Engine(tiny)
    for use in (lambda: engine.submit(prompt="a cat"), engine.warm):
        with pytest.raises(EngineError, match="not running: use it inside `with"):
            use()
    with engine:
        job = engine.submit(prompt="a cat", seed=1)
    assert job.is_done
    assert len(job.result()) == 1
    with pytest.raises(EngineError, match="not running"):
        engine.submit(prompt="a cat")
    with pytest.raises(EngineError, match="starts once"):
        engine.__enter__()
    previews = list(job)  # decoded by the caller from now on
    assert previews[-1].decode(previews[-1].latents)[0].size == (16, 16)


def test_leaving_the_block_finishes_all_jobs(tiny):
    with Engine(tiny, active=2) as engine:
        jobs = [engine.submit(prompt="a cat", seed=seed) for seed in range(5)]
    assert [len(job.result(timeout=0)) for job in jobs] == [1] * 5
    assert engine.stats().jobs.succeeded == 5


def test_leaving_the_block_by_an_exception_cancels_all_jobs(tiny):
    jobs = []

    def use():
        with Engine(tiny, active=1) as engine:
            jobs.extend(engine.submit(prompt="a cat", steps=1000) for _ in range(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    for job in jobs:
        with pytest.raises(JobCancelledError):
            job.result(timeout=0)
