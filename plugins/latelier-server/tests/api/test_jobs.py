"""Our own API: models, jobs, replay, gallery."""

import json
import time

import pytest
from PIL import Image

PNG = {"content-type": "image/png"}


def submit(client, **request):
    answer = client.post("/api/jobs", json={"inputs": {"prompt": "a cat"}, "steps": 2, **request})
    assert answer.status_code == 202, answer.json()
    return answer.json()


def events(client, job, query=""):
    """Return (event, data) of a stream."""
    with client.stream("GET", f"/api/jobs/{job['id']}/events{query}") as stream:
        lines = "\n".join(stream.iter_lines())
    blocks = [block.split("\n") for block in lines.strip().split("\n\n") if block[0] != ":"]
    return [(head[7:], json.loads(data[6:])) for head, data in blocks]


def test_the_server_describes_itself(client):
    found = client.get("/api/").json()
    assert found["default_model"] == "emoji-scenes"
    assert found["limits"]["steps"] == 200
    assert (found["has_gallery"], found["has_keys"]) == (True, False)


def test_a_model_has_all_that_a_form_needs(client):
    [summary] = client.get("/api/models").json()["models"]
    assert (summary["name"], summary["is_default"], summary["size"]) == (
        "emoji-scenes",
        True,
        [64, 64],
    )
    model = client.get("/api/models/emoji-scenes").json()
    assert list(model["inputs"]) == ["prompt", "class_label"]
    assert "cat" in json.dumps(model["inputs"]["class_label"])
    assert model["request"]["properties"]["steps"]["default"] == 20
    assert model["size_multiple"] == 4
    [ddim] = [each for each in model["samplers"] if each["name"] == "ddim"]
    assert ddim["options"]["properties"]["eta"]["maximum"] == 1
    assert ddim["summary"].startswith("Steady with strong guidance")
    assert (model["adapters"], model["inpainting"]) == ([], [])
    assert "ddim_inversion" not in [each["name"] for each in model["samplers"]]
    assert "deep_cache" in [each["name"] for each in model["accelerations"]]
    assert "cat" in model["subjects"]
    assert "background" not in model["subjects"]  # a word of captions


def test_a_job_goes_on_without_a_reader_and_has_its_pictures(client, finish):
    job = finish(client, submit(client, n=2, seed=7))
    assert (job["state"], job["progress"], job["error"]) == ("succeeded", 1.0, None)
    assert [each["seed"] for each in job["pictures"]] == [7, 8]
    answer = client.get(job["pictures"][1]["url"])
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert job["id"] in [each["id"] for each in client.get("/api/jobs").json()["jobs"]]


def test_events_have_states_and_previews(client):
    found = events(client, submit(client, steps=40), "?previews=1")
    previews = [data for event, data in found if event == "preview"]
    states = [data for event, data in found if event == "state"]
    assert previews
    assert all(each["image"].startswith("data:image/jpeg;base64,") for each in previews)
    assert [each["step"] for each in previews] == sorted(each["step"] for each in previews)
    assert states[-1]["state"] == "succeeded"
    assert states[-1]["pictures"]


def test_events_of_a_job_that_has_ended_are_its_last_state(client, finish):
    job = finish(client, submit(client))
    [(event, state)] = events(client, job, "?previews=1")
    assert (event, state["state"]) == ("state", "succeeded")


def test_a_job_is_cancelled(client, finish):
    job = submit(client, steps=200)
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 202
    job = finish(client, job)
    assert (job["state"], job["error"]["code"], job["pictures"]) == ("cancelled", "cancelled", [])


def test_a_deadline(client, finish):
    job = finish(client, submit(client, steps=200, seconds=0.05))
    assert (job["state"], job["error"]["code"]) == ("failed", "deadline_exceeded")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"inputs": {"prompt": 3}}, "prompt.text"),
        ({"inputs": {"prompts": "a"}}, "prompts"),
        ({"inputs": {"prompt": "a"}, "steps": 0}, "steps"),
        ({"inputs": {"prompt": "a"}, "steps": 201}, "steps"),
        ({"inputs": {"prompt": "a"}, "steps": "201"}, "steps"),
        ({"inputs": {"prompt": "a"}, "n": 11}, "n"),
        ({"inputs": {"prompt": ["a"] * 11}}, "prompt"),
        ({"inputs": {"prompt": "a"}, "size": [4096, 4096]}, "size"),
        ({"inputs": {"prompt": "a"}, "sampler": "eular"}, "sampler"),
        ({"inputs": {"prompt": "a"}, "model": 3}, "model"),
        ({"inputs": {"prompt": "a"}, "seconds": -1}, "seconds"),
        ({"inputs": {"prompt": "a"}, "keep": "yes"}, "keep"),
        ({"inputs": {"prompt": "a"}, "adapter_scales": [1]}, "adapter_scales"),
    ],
)
def test_a_mistake_names_its_field(client, request_, field):
    answer = client.post("/api/jobs", json=request_)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
    assert "LATELIER" not in answer.text


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"steps": 201}, "steps", "201 steps are above the limit of 200"),
        ({"steps": 0}, "steps", "Input should be greater than or equal to 1 (given: 0)"),
        ({"size": [63, 64]}, "size", "the width 63 is not a multiple of 4"),
        ({"size": [4096, 4096]}, "size", "16,777,216 pixels"),
        ({"seconds": -1}, "seconds", "expected a number above 0"),
    ],
)
def test_the_reason_of_a_mistake_leaves_its_field_out(client, fields, field, reason):
    answer = client.post("/api/jobs", json={"inputs": {"prompt": "a"}, **fields})
    error = answer.json()["error"]
    assert error["field"] == field
    assert error["reason"].startswith(reason)
    assert error["message"].endswith(error["reason"])


def test_a_run_beyond_the_limits_tells_a_client_nothing_of_the_host(serve, limits, finish):
    client = serve(limits=limits(steps=4, pictures=1))
    sampler = {"name": "restart", "intervals": [[4, 1000, 0.1, 2.0]]}
    job = finish(client, submit(client, steps=4, sampler=sampler))
    assert job["error"]["field"] == "sampler"
    assert "more than 32 denoiser evaluations" in job["error"]["message"]
    assert "LATELIER" not in job["error"]["message"]


def test_a_picture_gives_its_settings_and_is_made_again(client, finish):
    job = finish(client, submit(client, n=2, seed=7, sampler={"name": "ddim", "eta": 1}))
    data = client.get(job["pictures"][1]["url"]).content
    found = client.post("/api/read", content=data, headers=PNG).json()
    assert (found["model"], found["is_served"], found["altered"]) == ("emoji-scenes", True, False)
    assert (found["index"], found["seed"]) == (1, 8)
    assert found["request"]["inputs"] == {"prompt": ["a cat"]}
    assert found["request"]["sampler"]["options"] == {"eta": 1.0}
    again = finish(client, client.post("/api/replay", content=data, headers=PNG).json())
    assert again["result"]["verdict"] in ("identical", "equal within tolerance")
    assert again["result"]["altered"] is False
    assert again["pictures"][1]["gallery_id"] is None
    assert submit(client, **{**found["request"], "steps": 1})  # a form can send it as it is


def test_scales_are_those_of_adapters_with_an_input(client, finish, tmp_path):
    from latelier.provenance.image_files import read_provenance, write_image

    job = finish(client, submit(client))
    path = tmp_path / "a.png"
    path.write_bytes(client.get(job["pictures"][0]["url"]).content)
    image, provenance = read_provenance(path)
    provenance["adapters"] = {"style": {"scale": 0.5}, "palette": {"scale": 0.4}}
    provenance["request"]["inputs"]["palette"] = [["#f00"]]
    write_image(path, image, provenance)
    found = client.post("/api/read", content=path.read_bytes(), headers=PNG).json()
    assert found["adapter_scales"] == {"palette": 0.4}


def test_an_altered_picture_is_recognized(client, finish, tmp_path):
    from latelier.provenance.image_files import read_provenance, write_image

    job = finish(client, submit(client, seed=7))
    path = tmp_path / "a.png"
    path.write_bytes(client.get(job["pictures"][0]["url"]).content)
    _, provenance = read_provenance(path)
    write_image(path, Image.new("RGB", (64, 64), "red"), provenance)
    again = client.post("/api/replay", content=path.read_bytes(), headers=PNG).json()
    result = finish(client, again)["result"]
    assert (result["verdict"], result["altered"]) == ("different", True)


def test_a_picture_without_provenance(client, red):
    answer = client.post("/api/read", content=red, headers=PNG)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "no_provenance"
    assert "carries no provenance" in error["message"]


def test_a_picture_of_another_model_is_not_replayed(client, finish, tmp_path):
    from latelier.provenance.image_files import read_provenance, write_image

    job = finish(client, submit(client))
    path = tmp_path / "a.png"
    path.write_bytes(client.get(job["pictures"][0]["url"]).content)
    image, provenance = read_provenance(path)
    provenance["model"]["name"] = "/etc/passwd"
    write_image(path, image, provenance)
    answer = client.post("/api/replay", content=path.read_bytes(), headers=PNG)
    assert answer.status_code == 404


def test_the_gallery_lists_searches_stars_and_deletes(serve, finish):
    client = serve()
    for prompt in ("a red cat", "a blue dog", "a blue cat"):
        finish(client, submit(client, inputs={"prompt": prompt}, seed=5, steps=1))
        time.sleep(0.002)
    finish(client, submit(client, keep=False))

    def prompts(**query):
        found = client.get("/api/gallery", params=query).json()["pictures"]
        return [each["request"]["inputs"]["prompt"][0] for each in found]

    assert prompts() == ["a blue cat", "a blue dog", "a red cat"]
    assert prompts(search="BLUE cat") == ["a blue cat"]
    page = client.get("/api/gallery?most=2").json()
    assert len(page["pictures"]) == 2
    assert prompts(before=page["next"]) == ["a red cat"]
    dog = page["pictures"][1]
    assert client.get(dog["url"]).content.startswith(b"\x89PNG")
    assert client.patch(f"/api/gallery/{dog['id']}", json={"starred": True}).json()["starred"]
    assert prompts(starred="1") == ["a blue dog"]
    assert client.delete(f"/api/gallery/{dog['id']}").status_code == 204
    assert prompts() == ["a blue cat", "a red cat"]
    assert client.get(dog["url"]).status_code == 404


def test_a_server_without_a_gallery(serve, finish):
    client = serve(gallery=None)
    assert client.get("/api/gallery").status_code == 404
    assert finish(client, submit(client))["pictures"][0]["gallery_id"] is None


def test_a_picture_says_what_was_looked_up(serve, finish):
    client = serve(models=("scenes",))
    inputs = {"prompt": "a kitten and a qwxzy in a meadow"}
    job = finish(client, submit(client, inputs=inputs, seed=7))
    assert "'qwxzy' is not in latelier/emoji" in job["warnings"][0]
    [picture] = job["pictures"]
    [cat] = picture["drew"]
    assert cat["name"] == "cat"
    assert len(cat["box"]) == 4
    entry = client.get(f"/api/gallery/{picture['gallery_id']}").json()
    assert entry["drew"] == picture["drew"]
    data = client.get(picture["url"]).content
    assert client.post("/api/read", content=data, headers=PNG).json()["drew"] == [{"name": "cat"}]
    reread = serve(models=("scenes",)).get("/api/gallery").json()["pictures"]
    assert [each["drew"] for each in reread] == [picture["drew"]]
