"""The server's three APIs on replicas in this process, and what happens when one dies."""

import base64
import io
import json
import time

import pytest
from latelier_server import Limits, Settings, create_app
from PIL import Image
from starlette.testclient import TestClient

from .local_replicas import loader

JOB = {"inputs": {"prompt": "a cat"}, "seed": 7, "steps": 4}
LONG = {"inputs": {"prompt": "a cat"}, "seed": 7, "steps": 100}


def serve(folder, made, **changes):
    values = {"models": ("emoji-scenes",), "dtype": "float32", "device": "cpu"}
    settings = Settings(**{**values, "gallery": folder, **changes})
    return TestClient(create_app(settings, load=loader(made)), base_url="http://localhost")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("gallery"), []) as found:
        yield found


@pytest.fixture
def made():
    return []


def finish(client, job):
    for _ in range(3000):
        state = client.get(f"/api/jobs/{job['id']}").json()
        if state["state"] not in ("queued", "running"):
            return state
        time.sleep(0.02)
    raise TimeoutError(state)


def pixels(data):
    return Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def draw(client, **fields):
    job = client.post("/api/jobs", json={**JOB, **fields})
    assert job.status_code == 202, job.text
    return finish(client, job.json())


def test_the_own_api_draws_and_replays(client):
    job = draw(client)
    assert job["state"] == "succeeded", job
    data = client.get(job["pictures"][0]["url"]).content
    replay = client.post("/api/replay", content=data, headers={"content-type": "image/png"})
    assert finish(client, replay.json())["result"]["verdict"] != "different"
    assert client.get("/api/gallery").json()["pictures"][0]["seed"] == 7


def test_a_form_is_described(client):
    form = client.get("/api/models/emoji-scenes").json()
    assert form["name"] == "emoji-scenes"
    assert "prompt" in form["inputs"]
    assert {"euler", "ddim"} <= {each["name"] for each in form["samplers"]}


def test_openai_and_a1111_draw(client):
    asked = {"prompt": "a cat", "seed": 7, "steps": 4}
    openai = client.post("/v1/images/generations", json=asked).json()["data"][0]["b64_json"]
    a1111 = client.post("/sdapi/v1/txt2img", json={**asked, "width": 64, "height": 64}).json()
    assert len(a1111["images"]) == 1
    assert Image.open(io.BytesIO(base64.b64decode(openai))).size == (64, 64)


def test_a_second_pass_of_a1111_sends_the_pictures_of_the_first(client):
    asked = {"prompt": "a cat", "steps": 4, "width": 64, "height": 64, "enable_hr": True}
    answer = client.post("/sdapi/v1/txt2img", json={**asked, "hr_scale": 2}).json()
    assert Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))).size == (128, 128)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/jobs", {**JOB, "steps": "four"}, 400),
        ("/api/jobs", {**JOB, "steps": 201}, 400),
        ("/api/jobs", {**JOB, "adapter_scales": {"nothing": 1.0}}, 400),
        ("/sdapi/v1/txt2img", {"prompt": "a cat", "sampler_name": "nothing"}, 422),
    ],
)
def test_mistakes_are_found_by_the_replica_and_named(client, path, body, status):
    answer = client.post(path, json=body)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_events_have_steps_and_previews(client):
    job = client.post("/api/jobs", json=LONG).json()
    with client.stream("GET", f"/api/jobs/{job['id']}/events?previews=1") as stream:
        lines = [line for line in stream.iter_lines() if line]
    kinds = [line for line in lines if line.startswith("event")]
    values = [json.loads(line[6:]) for line in lines if line.startswith("data")]
    steps = [each["step"] for each in values if "state" in each and each["state"] == "running"]
    assert "event: preview" in kinds
    assert steps == sorted(steps)
    assert values[-1]["state"] == "succeeded"


def test_a_job_is_cancelled_on_its_replica(tmp_path, made):
    with serve(tmp_path, made) as client:
        job = client.post("/api/jobs", json={**LONG, "n": 8, "steps": 200}).json()
        client.delete(f"/api/jobs/{job['id']}")
        assert finish(client, job)["state"] == "cancelled"
        for _ in range(500):
            if sum(each._model.stats().jobs.cancelled for each in made[0].living):
                return
            time.sleep(0.02)
        raise AssertionError("the replica goes on")


def test_jobs_of_a_replica_that_dies_end_on_the_other_with_the_same_pictures(tmp_path, made):
    with serve(tmp_path, made) as client:
        expected = draw(client, steps=40)
        jobs = [client.post("/api/jobs", json={**JOB, "steps": 40}).json() for _ in range(6)]
        client.portal.call(made[0].kill)
        ended = [finish(client, job) for job in jobs]
        assert [each["state"] for each in ended] == ["succeeded"] * 6
        found = {pixels(client.get(each["pictures"][0]["url"]).content) for each in ended}
        [alone] = [pixels(client.get(each["url"]).content) for each in expected["pictures"]]
        nearest = [max(abs(a - b) for a, b in zip(each, alone, strict=True)) for each in found]
        assert max(nearest) <= 2


def test_full_replicas_are_429_with_the_time_to_come_back(tmp_path, made):
    with serve(tmp_path, made, active=1, queue=1) as client:
        answers = [client.post("/api/jobs", json=LONG) for _ in range(8)]
        refused = [each for each in answers if each.status_code != 202]
        assert len(refused) == 4
        assert {each.status_code for each in refused} == {429}
        assert all(int(each.headers["Retry-After"]) >= 1 for each in refused)
        for each in answers:
            if each.status_code == 202:
                client.delete(f"/api/jobs/{each.json()['id']}")


def test_a_client_pays_for_the_steps_that_the_replica_has_planned(tmp_path, made):
    with serve(tmp_path, made, limits=Limits(rate=10)) as client:
        assert client.post("/api/jobs", json={**JOB, "n": 2}).status_code == 202
        refused = client.post("/api/jobs", json=JOB)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")


def test_metrics_have_the_calls_of_the_replicas(client):
    draw(client)
    for _ in range(100):
        lines = client.get("/metrics").text.splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if line[0] != "#")
        if float(values.get('latelier_denoiser_calls_total{model="emoji-scenes"}', 0)) > 0:
            return
        time.sleep(0.02)
    raise AssertionError(values)
