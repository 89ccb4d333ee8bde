"""Health, metrics, full queues, and models under a budget of memory."""

import gc
import shutil
import time
import weakref

import pytest
from latelier.pipeline.storage.sources import list_embedded

LONG = {"inputs": {"prompt": "a cat"}, "steps": 200}


def test_ready_comes_after_the_warm_up(serve):
    client = serve()
    assert client.get("/health").json() == {"status": "up"}
    for _ in range(200):
        answer = client.get("/ready")
        if answer.status_code == 200:
            break
        assert answer.json() == {"status": "loading"}
        time.sleep(0.05)
    assert answer.json() == {"status": "ready"}
    assert client.get("/api/models").json()["models"][0]["is_loaded"]


def test_metrics_count_jobs_pictures_and_calls(client, finish):
    job = {"inputs": {"prompt": "a cat"}, "steps": 3, "n": 2}
    finish(client, client.post("/api/jobs", json=job).json())
    finish(client, client.post("/api/jobs", json={**LONG, "seconds": 0.01}).json())
    text = client.get("/metrics").text
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
    assert float(values['latelier_requests_total{finished_reason="succeeded"}']) == 1
    assert float(values['latelier_requests_total{finished_reason="deadline_exceeded"}']) == 1
    assert float(values["latelier_image_count_total"]) == 2
    assert float(values['latelier_denoiser_calls_total{model="emoji-scenes"}']) >= 3
    assert float(values["latelier_e2e_request_latency_seconds_count"]) == 2
    assert float(values['latelier_num_inference_steps_bucket{le="4.0"}']) == 2
    assert float(values['latelier_image_pixels_bucket{le="4096.0"}']) == 2
    assert float(values['latelier_http_requests_total{endpoint="submit_job",status="202"}']) == 2


def test_a_full_queue_is_429(serve):
    client = serve(active=1, queue=1)
    answers = [client.post("/api/jobs", json=LONG) for _ in range(4)]
    assert [each.status_code for each in answers] == [202, 202, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 30
    assert answers[1].json()["position"] == 0
    openai = client.post("/v1/images/generations", json={"prompt": "a cat"})
    assert openai.json()["error"]["code"] == "queue_full"
    for each in answers[:2]:
        client.delete(f"/api/jobs/{each.json()['id']}")


def test_clients_take_turns(serve, finish):
    keys = ("key-of-ann-0123456789", "key-of-bob-0123456789")
    client = serve(active=1, keys=keys)
    ann, bob = ({"authorization": f"Bearer {key}"} for key in keys)
    job = {**LONG, "steps": 30}
    for _ in range(4):
        client.post("/api/jobs", json=job, headers=ann)
    assert client.post("/api/jobs", json=job, headers=bob).json()["position"] <= 1


@pytest.fixture
def two(tmp_path):
    """A second model: the embedded one under another name."""
    shutil.copytree(list_embedded()["emoji-scenes"], tmp_path / "other")
    return "emoji-scenes", str(tmp_path / "other")


def loaded(client):
    return [
        each["name"] for each in client.get("/api/models").json()["models"] if each["is_loaded"]
    ]


def test_the_least_recently_used_model_is_unloaded(serve, finish, two):
    client = serve(models=two, memory=20_000_000)
    job = {"inputs": {"prompt": "a cat"}, "steps": 2, "seed": 7}
    first = finish(client, client.post("/api/jobs", json=job).json())
    assert loaded(client) == ["emoji-scenes"]
    [model] = client.app.state.runner.pool.loaded()
    module = weakref.ref(model.pipe.denoiser)
    del model
    other = finish(client, client.post("/api/jobs", json={**job, "model": "other"}).json())
    assert loaded(client) == ["other"]
    gc.collect()
    assert module() is None  # no job that has ended keeps the weights
    one, two_ = (client.get(each["pictures"][0]["url"]).content for each in (first, other))
    assert one.startswith(b"\x89PNG")
    assert two_.startswith(b"\x89PNG")
    assert "/" not in client.get("/api/models").json()["models"][1]["name"]


def test_a_model_in_use_is_not_unloaded(serve, finish, two):
    client = serve(models=two, memory=20_000_000)
    running = client.post("/api/jobs", json=LONG).json()
    answer = client.post("/api/jobs", json={**LONG, "model": "other"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_memory")
    client.delete(f"/api/jobs/{running['id']}")


def test_models_that_fit_stay(serve, finish, two):
    client = serve(models=two)
    for name in ("emoji-scenes", "other"):
        job = {"inputs": {"prompt": "a cat"}, "steps": 1, "model": name}
        finish(client, client.post("/api/jobs", json=job).json())
    assert loaded(client) == ["emoji-scenes", "other"]
