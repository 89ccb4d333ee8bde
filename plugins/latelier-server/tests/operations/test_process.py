"""The process of a server: signals, logs, slow and large requests."""

import asyncio
import concurrent.futures
import json
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest
from PIL import Image

from latelier_server.access.gate import LimitedBody
from latelier_server.errors import ServerError

LONG = {"inputs": {"prompt": "a secret cat"}, "steps": 150}


def call(server, path, body=None, method=None):
    """Return status and JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{server.url}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_for_start(server, job):
    while call(server, f"/api/jobs/{job['id']}")[1]["state"] == "queued":
        time.sleep(0.02)


def test_sigterm_under_load_returns_every_job(start_process, tmp_path):
    server = start_process("--gallery", str(tmp_path), "--active", "2")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        asked = {"prompt": "a cat", "steps": 20}
        waiting = [pool.submit(call, server, "/v1/images/generations", asked) for _ in range(8)]
        jobs = [call(server, "/api/jobs", {**LONG, "steps": 10})[1] for _ in range(4)]
        wait_for_start(server, jobs[0])
        while len(call(server, "/api/jobs")[1]["jobs"]) < 12:
            time.sleep(0.02)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        status, body = call(server, "/api/jobs", LONG)
        assert (status, body["error"]["code"]) == (503, "draining")
        assert call(server, "/ready") == (503, {"status": "draining"})
        assert call(server, "/health")[0] == 200
        answers = [each.result() for each in waiting]
    assert [status for status, _ in answers] == [200] * 8
    assert server.process.wait(timeout=30) == 0
    assert len(list(tmp_path.rglob("*.png"))) == 12


def test_jobs_that_take_longer_than_the_drain_are_cancelled(start_process):
    server = start_process("--drain", "0.2", "--max-steps", "1000")
    job = call(server, "/api/jobs", {**LONG, "steps": 1000, "n": 10})[1]
    wait_for_start(server, job)
    start = time.monotonic()
    server.end()
    assert time.monotonic() - start < 10


def test_a_gallery_is_whole_after_a_kill(start_process, tmp_path):
    server = start_process("--gallery", str(tmp_path))
    for _ in range(40):
        call(server, "/api/jobs", {"inputs": {"prompt": "a cat"}, "steps": 2})
    while not list(tmp_path.rglob("*.png")):
        time.sleep(0.01)
    server.process.kill()
    server.process.communicate()
    for path in tmp_path.rglob("*.png"):
        Image.open(path).load()
    again = start_process("--gallery", str(tmp_path))
    found = call(again, "/api/gallery?most=200")[1]["pictures"]
    assert {each["id"] for each in found} == {path.stem for path in tmp_path.rglob("*.png")}
    assert {path.suffix for path in tmp_path.rglob("*.*")} == {".png"}


def test_the_log_is_json_without_prompts(start_process):
    server = start_process()
    call(server, "/api/jobs", {**LONG, "steps": 2})
    call(server, "/v1/images/generations", {"prompt": "a secret zyzzyva", "steps": "secret"})
    call(server, "/secret?secret=1")
    log = server.end()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    answered = [line for line in lines if line["message"] == "answered"]
    endpoints = [line["endpoint"] for line in answered]
    assert {"submit_job", "generations", "unmatched"} <= set(endpoints)
    assert {line["status"] for line in answered} >= {202, 400, 404}
    assert "secret" not in log


def test_going_away_before_the_answer_cancels(process):
    body = json.dumps({"prompt": "a cat", "steps": 200, "n": 4}).encode()
    head = f"POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(f"{head}\r\nContent-Type: application/json\r\n\r\n".encode() + body)
        while not (jobs := call(process, "/api/jobs")[1]["jobs"]):
            time.sleep(0.02)
    for _ in range(500):
        job = call(process, f"/api/jobs/{jobs[0]['id']}")[1]
        if job["state"] == "cancelled":
            return
        time.sleep(0.02)
    raise AssertionError(job["state"])


def raw(server, data, wait=3.0):
    """Send bytes, and return the answer until the connection ends or nothing more comes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=wait) as connection:
        connection.sendall(data)
        answer = b""
        try:
            while part := connection.recv(65_536):
                answer += part
        except (TimeoutError, ConnectionResetError):
            pass
    return answer


def test_raw_requests_that_are_none(process):
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"
    too_long = head + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n"
    assert raw(process, too_long).startswith(b"HTTP/1.1 4")
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        head + b"Bad Header: x\r\n\r\n",
        head + b"X: a\x00b\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /",
        b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\na",
    ):
        answer = raw(process, data, 1.0)
        assert b"Traceback" not in answer
        assert not answer or answer.startswith(b"HTTP/1.1 4"), (data, answer[:100])
    assert call(process, "/health")[0] == 200


def test_a_slow_body_ends(limits):
    async def receive_nothing():
        await asyncio.sleep(60)

    body = LimitedBody(receive_nothing, limits(body_seconds=0.05))
    with pytest.raises(ServerError) as caught:
        asyncio.run(body())
    assert caught.value.status == 408
