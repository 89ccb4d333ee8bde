"""Keys, hosts, origins, rates."""

import base64

import pytest
from latelier.contracts.errors import InvalidInputError
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from latelier_server import Settings, create_app
from latelier_server.access.keys import EVERYBODY, identify, read_keys
from latelier_server.access.origins import accepts_host, accepts_origin, check_binding
from latelier_server.access.rates import RateLimiter

ANN, BOB = "key-of-ann-0123456789", "key-of-bob-0123456789"


def bearer(key):
    return {"authorization": f"Bearer {key}"}


def test_keys_come_from_a_file_and_the_environment(tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text(f"# ours\n{ANN}\n\n")
    environment = {"LATELIER_SERVER_KEYS": f"{BOB}, {ANN}"}
    assert read_keys(file, environment) == (ANN, BOB)
    assert read_keys(None, {}) == ()


@pytest.mark.parametrize("key", ["short", "a key with spaces in it", "schlüssel-0123456789"])
def test_a_weak_key_is_refused(key):
    with pytest.raises(InvalidInputError, match="a key is 16 characters"):
        read_keys(None, {"LATELIER_SERVER_KEYS": key})


def test_a_client_is_known_by_its_key_and_not_by_the_key_itself():
    ann, bob = (identify(f"Bearer {key}", "1.2.3.4", (ANN, BOB)) for key in (ANN, BOB))
    assert ann.owner != bob.owner
    assert ANN not in ann.id
    basic = base64.b64encode(f"user:{ANN}".encode()).decode()
    assert identify(f"Basic {basic}", "1.2.3.4", (ANN, BOB)) == ann


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {ANN}x", f"bearer{ANN}", "Basic %%%", ANN,
     f"Bearer {ANN[:-1]}"],
)  # fmt: skip
def test_other_keys_are_not_accepted(header):
    assert identify(header, "1.2.3.4", (ANN,)) is None


def test_without_keys_everybody_may_call():
    assert identify("", "1.2.3.4", ()).owner == EVERYBODY


def test_a_server_with_keys(serve):
    client = serve(keys=(ANN, BOB))
    assert client.get("/health").status_code == 200
    for path in ("/api/models", "/v1/models", "/sdapi/v1/options", "/metrics"):
        answer = client.get(path)
        assert answer.status_code == 401
        scheme = "Basic" if path.startswith("/api") else "Bearer"  # of pages and of programs
        assert answer.headers["www-authenticate"].startswith(scheme)
        assert client.get(path, headers=bearer(ANN)).status_code == 200


def test_pages_need_no_key_and_the_api_does(tmp_path):
    page = Route("/", lambda _: PlainTextResponse("a page"))
    app = create_app(Settings(models=("emoji-scenes",), keys=(ANN,)), [page])
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/").text == "a page"
        assert client.get("/nowhere").status_code == 404
        for path in ("/api", "/api/", "/api/nowhere", "/v1/nowhere", "/sdapi/v1/nowhere"):
            assert client.get(path, follow_redirects=False).status_code == 401


def test_jobs_and_pictures_are_shown_to_their_owner_alone(serve):
    client = serve(keys=(ANN, BOB))
    request = {"inputs": {"prompt": "a cat"}, "steps": 1}
    job = client.post("/api/jobs", json=request, headers=bearer(ANN)).json()
    with client.stream("GET", f"/api/jobs/{job['id']}/events", headers=bearer(ANN)) as stream:
        stream.read()
    for path in (f"/api/jobs/{job['id']}", f"/api/jobs/{job['id']}/pictures/0"):
        assert client.get(path, headers=bearer(BOB)).status_code == 404
        assert client.get(path, headers=bearer(ANN)).status_code == 200
    assert client.get("/api/gallery", headers=bearer(BOB)).json()["pictures"] == []
    [picture] = client.get("/api/gallery", headers=bearer(ANN)).json()["pictures"]
    path = f"/api/gallery/{picture['id']}"
    assert client.delete(path, headers=bearer(BOB)).status_code == 404
    assert client.delete(path, headers=bearer(ANN)).status_code == 204


def test_keys_cannot_be_guessed_quickly(serve):
    client = serve(keys=(ANN,))
    statuses = [
        client.get("/v1/models", headers=bearer(f"guess-{k}")).status_code for k in range(25)
    ]
    assert statuses == [401] * 20 + [429] * 5
    answer = client.get("/v1/models", headers=bearer(ANN))
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (429, True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_a_public_address_needs_a_key(host):
    with pytest.raises(InvalidInputError, match="give the server keys"):
        check_binding(host, has_keys=False)
    check_binding(host, has_keys=True)
    check_binding("127.0.0.1", has_keys=False)


@pytest.mark.parametrize("host", ["localhost", "localhost:7860", "127.0.0.1:1", "[::1]:7860"])
def test_the_own_machine_is_served(host):
    assert accepts_host(host, ())


def test_other_names_have_to_be_listed():
    assert not accepts_host("studio.example", ())
    assert accepts_host("studio.example:443", ("studio.example",))
    assert accepts_host("anything", ("*",))


def test_pages_of_the_server_and_of_listed_origins_may_call():
    page = "http://localhost:7860"
    assert accepts_origin(page, "same-origin", "cors", "localhost:7860", ())
    assert accepts_origin(
        "https://a.example", "cross-site", "cors", "localhost", ("https://a.example",)
    )
    assert not accepts_origin("https://b.example", None, None, "localhost", ("https://a.example",))
    assert not accepts_origin("", None, None, "", ())
    assert accepts_origin(None, "cross-site", "navigate", "localhost", ())
    assert not accepts_origin(None, "cross-site", "no-cors", "localhost", ())


def test_listed_origins_can_read_answers(serve):
    client = serve(origins=("https://a.example",))
    headers = {"origin": "https://a.example"}
    answer = client.get("/api/models", headers=headers)
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    asked = {**headers, "access-control-request-method": "DELETE"}
    assert client.options("/api/jobs", headers=asked).status_code == 200
    assert client.get("/api/models", headers={"origin": "https://b.example"}).status_code == 403


def test_a_rate_grows_back():
    now = [0.0]
    rate = RateLimiter(60, lambda: now[0])
    assert rate.seconds_until("ann", 61) == float("inf")
    assert rate.spend("ann", 60) == 0
    assert rate.spend("ann", 10) == 10  # takes nothing
    assert rate.seconds_until("ann", 10) == 10
    assert rate.seconds_until("bob", 60) == 0
    now[0] = 10
    assert rate.seconds_until("ann", 10) == 0


def test_a_client_has_a_rate(serve, limits):
    client = serve(limits=limits(rate=10))
    request = {"inputs": {"prompt": "a cat"}, "n": 2, "steps": 4}
    assert client.post("/api/jobs", json=request).status_code == 202
    answer = client.post("/api/jobs", json=request)
    assert answer.status_code == 429
    assert 30 <= int(answer.headers["retry-after"]) <= 40
    assert client.post("/api/jobs", json={**request, "steps": 6}).status_code == 400


@pytest.mark.parametrize(
    ("request_", "price"),
    [
        ({"steps": 4}, 4),
        ({"steps": "4", "n": 2}, 8),  # as pydantic reads it
        ({"inputs": {"prompt": ["a cat", "a dog"]}, "steps": 4, "n": 2}, 16),
        ({"steps": 10, "strength": 0.5, "init_image": None}, 5),
        ({}, None),
    ],
)
def test_a_request_costs_the_steps_of_all_its_pictures(serve, limits, red_uri, request_, price):
    if price is None:  # the model's own steps
        schema = serve().get("/api/models/emoji-scenes").json()["request"]
        price = schema["properties"]["steps"]["default"]
    request = {"inputs": {"prompt": "a cat"}, **request_}
    if "init_image" in request:
        request["init_image"] = red_uri
    client = serve(limits=limits(rate=price))
    assert client.post("/api/jobs", json=request).status_code == 202
    client = serve(limits=limits(rate=price - 1))
    assert client.post("/api/jobs", json=request).status_code == 400
