"""Attacks: each is refused, with words that tell nothing about the host, and none is in the log."""

import base64
import io
import json
import logging
import struct
import time
import zlib

import pytest
from latelier.contracts.images.reading import MAX_UNTRUSTED_PIXELS
from PIL import Image

JOBS, IMAGES, A1111 = "/api/jobs", "/v1/images/generations", "/sdapi/v1/img2img"


def encoded(kind="PNG", size=(8, 8)):
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, kind)
    return buffer.getvalue()


def uri(data, kind="png"):
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def bomb(width, height):
    """Return a small PNG with a large header."""

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [
        chunk(b"IHDR", header),
        chunk(b"IDAT", zlib.compress(b"\0" * 100)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def prompt(**request):
    return {"inputs": {"prompt": "a cat"}, "steps": 1, **request}


PATHS = [
    "/etc/passwd",
    "/etc/shadow-nope",
    "/",
    "../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "https://example.org/a.png",
    "ftp://example.org/a.png",
    "//example.org/share/a.png",
    "~/.ssh/id_rsa",
    "/proc/self/environ",
    "/dev/zero",
    "data:text/html;base64,PGgxPg==",
    "data:image/svg+xml,<svg/>",
    "\u202egnp.a",
    "/etc/passwd\x00.png",
]

PICTURES = {
    "no base64": "data:image/png;base64,%%%",
    "empty": uri(b""),
    "svg": uri(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "svg+xml"),
    "html": uri(b"<html><script>alert(1)</script>"),
    "gif": uri(encoded("GIF")),
    "bmp": uri(encoded("BMP")),
    "tiff": uri(encoded("TIFF")),
    "eps": uri(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "bomb of 169 million pixels": uri(bomb(13_000, 13_000)),
    "bomb of a long side": uri(bomb(100_000, 1)),
    "bomb of 400 million pixels": uri(bomb(20_000, 20_000)),
    "truncated": uri(encoded(size=(64, 64))[:60]),
    "a pickle": uri(b"\x80\x04\x95cos\nsystem\n(S'id'\ntR."),
}

VALUES = {
    "too many steps": prompt(steps=10**6),
    "no whole steps": prompt(steps=1.5),
    "negative steps": prompt(steps=-1),
    "steps beyond 64 bits": prompt(steps=10**30),
    "too many pictures": prompt(n=10**6),
    "too many rows": prompt(inputs={"prompt": ["a"] * 1000}),
    "too many pixels": prompt(size=[100_000, 100_000]),
    "negative size": prompt(size=[-64, -64]),
    "negative seed": prompt(seed=-1),
    "seed beyond 63 bits": prompt(seed=2**64),
    "a huge eta": prompt(sampler={"name": "ddim", "eta": 1e30}),
    "a sampler with code": prompt(sampler="os:system"),
    "a sampler with a path": prompt(sampler="../../evil"),
    "an option that is no option": prompt(sampler={"name": "ddim", "__class__": "x"}),
    "an unknown field": prompt(__proto__={"a": 1}),
    "inputs that are a list": {"inputs": ["a"]},
    "deep nesting": prompt(negative=json.loads("[" * 60 + "]" * 60)),
    "a long prompt": prompt(inputs={"prompt": "a " * 10_000}),
    "a prompt that is a number": prompt(inputs={"prompt": 7}),
    "a null prompt": prompt(inputs={"prompt": None, "class_label": {"label": None}}),
    "a path as a database": prompt(database="/etc/passwd"),
    "a path as a model": prompt(model="/etc"),
    "a hub as a model": prompt(model="owner/name"),
    "seconds that are infinite": prompt(seconds=-1),
}

BODIES = {
    "NaN": b'{"inputs": {"prompt": "a"}, "strength": NaN}',
    "infinity": b'{"inputs": {"prompt": "a"}, "strength": Infinity}',
    "an infinite exponent": b'{"inputs": {"prompt": "a"}, "guidance": 1e999}',
    "an integer of 10,000 digits": b'{"inputs": {"prompt": "a"}, "seed": ' + b"9" * 10_000 + b"}",
    "half a surrogate": b'{"inputs": {"prompt": "\\ud800"}}',
    "half a surrogate as a key": b'{"inputs": {"\\udfff": "a"}}',
    "bytes that are not UTF-8": b'{"inputs": {"prompt": "\xff\xfe"}}',
    "no JSON": b"{",
    "a list": b"[]",
    "nothing": b"",
    "a thousand brackets": b"[" * 100_000,
    "a null byte": b"\x00",
}

HEADERS = {
    "a foreign host": ({"host": "evil.example"}, 403),
    "a host that only begins well": ({"host": "localhost.evil.example"}, 403),
    "a host with a user": ({"host": "localhost@evil.example"}, 403),
    "a host that is none": ({"host": "[::"}, 403),
    "no host": ({"host": ""}, 403),
    "a foreign origin": ({"origin": "https://evil.example"}, 403),
    "an opaque origin": ({"origin": "null"}, 403),
    "the right origin with another port": ({"origin": "http://localhost:1"}, 403),
    "a cross-site request": ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
    "a same-site request": ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
    "a form": ({"content-type": "text/plain"}, 415),
    "a form of fields": ({"content-type": "application/x-www-form-urlencoded"}, 415),
    "a length that is no number": ({"content-length": "many"}, 400),
    "a length that is huge": ({"content-length": "9" * 30}, 413),
}

MISSING = [
    "/api/jobs/../../etc/passwd",
    "/api/jobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/api/gallery/..%2f..%2fetc%2fpasswd",
    "/api/gallery/..%2f..%2fetc%2fpasswd/picture",
    "/api/gallery/1795892314152-7870638d.star/picture",
    "/files/aaaa/0.png",
    "/files/..%2f..%2fetc/0.png",
    "/api/jobs/x/pictures/-1",
    "/api/jobs/x/pictures/99999999999999999999",
    "/v1/models/..%2f..%2fetc",
]


pytestmark = pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")


@pytest.fixture(autouse=True)
def nothing_is_logged(caplog):
    """No log has anything of a request."""
    caplog.set_level(logging.DEBUG)
    yield
    records = caplog.get_records("call")
    ours = [record for record in records if record.name.startswith("latelier")]
    text = " ".join(f"{record.getMessage()} {vars(record).get('fields')}" for record in ours)
    assert "answered" in text
    for word in ("passwd", "evil", "alert(", "a cat", "base64", "example.org"):
        assert word not in text


def refused(answer, status=400):
    assert answer.status_code == status, answer.text[:300]
    assert "Traceback" not in answer.text
    assert "site-packages" not in answer.text
    return answer.json()["error"]


@pytest.mark.parametrize("field", ["init_image", "mask"])
@pytest.mark.parametrize("path", PATHS)
def test_paths_and_urls_are_not_opened(client, path, field, red_uri):
    request = prompt(**{"init_image": red_uri, field: path})
    error = refused(client.post(JOBS, json=request))
    assert error["field"] == f"{field}.0"
    assert "expected a picture as a data URI" in error["message"]


def test_a_file_and_a_missing_one_have_the_same_words(client):
    first, second = (
        refused(client.post(JOBS, json=prompt(init_image=path)))["message"].replace(path, "PATH")
        for path in ("/etc/passwd", "/etc/passwe")
    )
    assert first == second


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_are_none(client, name):
    start = time.perf_counter()
    error = refused(client.post(JOBS, json=prompt(init_image=PICTURES[name])))
    assert error["field"] == "init_image.0"
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_are_none_for_a1111(client, name):
    body = {"prompt": "a", "init_images": [PICTURES[name].rpartition(",")[2]]}
    assert client.post(A1111, json=body).status_code == 422


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_that_are_none_as_uploads(client, name):
    try:
        data = base64.b64decode(PICTURES[name].partition(",")[2], validate=True)
    except ValueError:
        data = b"%%%"
    refused(client.post("/api/replay", content=data, headers={"content-type": "image/png"}))
    form = {"image": ("a.png", data, "image/png")}
    refused(client.post("/v1/images/edits", data={"prompt": "a"}, files=form))


@pytest.mark.parametrize("name", VALUES)
def test_values_out_of_range(client, name):
    status = 404 if name.endswith("as a model") else 400
    refused(client.post(JOBS, json=VALUES[name]), status)


@pytest.mark.parametrize("name", BODIES)
def test_bodies_that_are_no_request(client, name):
    headers = {"content-type": "application/json"}
    for path in (JOBS, IMAGES):
        refused(client.post(path, content=BODIES[name], headers=headers))


@pytest.mark.parametrize("name", HEADERS)
def test_headers(client, name):
    headers, status = HEADERS[name]
    content = json.dumps(prompt()).encode()
    sent = {"content-type": "application/json", **headers}
    refused(client.post(JOBS, content=content, headers=sent), status)


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--x\r\n",
        b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\na\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="../a"\r\n\r\na\r\n--x--',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n' * 200 + b"--x--\r\n",
        b"--y--",
    ],
)
def test_malformed_forms(client, content):
    headers = {"content-type": "multipart/form-data; boundary=x"}
    refused(client.post("/v1/images/edits", content=content, headers=headers))


@pytest.mark.parametrize("number", ["nan", "inf", "1e999", "many"])
def test_numbers_of_forms_are_finite(client, red, number):
    form = {"image": ("a.png", red, "image/png")}
    for name in ("guidance_scale", "strength", "seed"):
        fields = {"prompt": "a", name: number}
        error = refused(client.post("/v1/images/edits", data=fields, files=form))
        assert error["message"] == f"{name}: expected a number, got '{number}'"


def test_a_form_without_a_boundary(client):
    headers = {"content-type": "multipart/form-data"}
    refused(client.post("/v1/images/edits", content=b"a", headers=headers))


def test_the_pixels_of_all_pictures_together_are_limited(client):
    side = int((MAX_UNTRUSTED_PIXELS - 1) ** 0.5)
    large = uri(bomb(side, side))
    refused(client.post(JOBS, json=prompt(n=1, init_image=[large] * 10)))


def test_a_body_that_is_too_long_is_not_read_to_its_end(serve, limits):
    client = serve(limits=limits(body=1000))
    sent = []

    def chunks():
        for _ in range(1000):
            sent.append(1)
            yield b" " * 100

    answer = client.post(JOBS, content=chunks(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


def test_an_answer_names_no_server_and_may_not_be_framed(client):
    headers = client.get("/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers
