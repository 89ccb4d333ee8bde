"""`latelier ray serve` with two replicas: one is killed under load, the end, and bad input.

Ray itself takes a minute to start on a busy machine.
"""

import concurrent.futures
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from latelier.pipeline.storage.sources import list_embedded

PLUGIN = Path(__file__).parents[2]
START_SECONDS = 300
ASK = {"prompt": "a cat", "steps": 12}


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def start(port, model, *options):
    code = "import sys; from latelier.cli.main import main; main(sys.argv[1:])"
    arguments = ["ray", "serve", model, "--port", str(port), "--precision", "float32", *options]
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(PLUGIN), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def descendants(process):
    """Return the ids and names of the processes that a process has started, and those of these."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listing.stdout.splitlines()]
    found, parents = {}, {process.pid}
    while children := [row for row in rows if int(row[1]) in parents and int(row[0]) not in found]:
        parents = {int(row[0]) for row in children}
        found |= {int(row[0]): row[2] for row in children}
    return found


def call(port, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_until_ready(process, port):
    for _ in range(START_SECONDS * 5):
        if process.poll() is not None:
            raise AssertionError(process.stderr.read())
        try:
            if call(port, "/ready")[0] == 200:
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.2)
    raise AssertionError("the server does not become ready")


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids):
    for _ in range(300):
        left = [pid for pid in pids if is_alive(pid)]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"{left} are left")


def end(process):
    """End a process that a test has left, with all that it has started."""
    if process.poll() is None:
        for pid in [process.pid, *descendants(process)]:
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def test_two_replicas_of_which_one_is_killed_under_load(tmp_path):
    port = free_port()
    process = start(port, "emoji-scenes", "--replicas", "2", "--gallery", str(tmp_path))
    try:
        wait_until_ready(process, port)
        started = descendants(process)
        replicas = [pid for pid, name in started.items() if "emoji-scenes" in name]
        assert len(replicas) == 2

        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            asked = [{**ASK, "seed": number % 3} for number in range(24)]
            answers = [pool.submit(call, port, "/v1/images/generations", each) for each in asked]
            jobs = [
                call(port, "/api/jobs", {"inputs": {"prompt": "a dog"}, "steps": 12})[1]
                for _ in range(8)
            ]
            os.kill(replicas[0], signal.SIGKILL)
            refused = [each.result() for each in answers if each.result()[0] != 200]
            assert not refused
        for job in jobs:
            while (state := call(port, f"/api/jobs/{job['id']}")[1]["state"]) in (
                "queued",
                "running",
            ):
                time.sleep(0.1)
            assert state == "succeeded"
        assert len(list(tmp_path.rglob("*.png"))) == 32

        started |= descendants(process)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(call, port, "/v1/images/generations", ASK) for _ in range(4)]
            while not any(
                each["state"] == "running" for each in call(port, "/api/jobs")[1]["jobs"]
            ):
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            assert [each.result()[0] for each in answers] == [200] * 4
        assert process.wait(timeout=120) == 0
        wait_until_gone(started)
    finally:
        end(process)


def refuse(port, model, *options):
    """Return the error of a command that has to end at once, and leaves nothing."""
    process = start(port, model, *options)
    try:
        started = {}
        while process.poll() is None:
            started |= descendants(process)
            time.sleep(0.2)
        error = process.stderr.read()
        assert process.returncode == 2, error
        wait_until_gone(started)
        assert "Traceback" not in error
        return error, started
    finally:
        end(process)


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error, started = refuse(port, "emoji-scenes")
    assert f"cannot listen on 127.0.0.1, port {port}: Address already in use" in error
    assert not any("ray" in each for each in started.values())


def test_no_cluster_at_the_address():
    address = f"127.0.0.1:{free_port()}"
    error, _ = refuse(free_port(), "emoji-scenes", "--cluster", address)
    assert address in error


def test_more_replicas_than_the_most():
    error, started = refuse(free_port(), "emoji-scenes", "--replicas", "3", "--max-replicas", "2")
    assert "--replicas 3" in error
    assert not any("ray" in each for each in started.values())


def test_a_model_that_the_replicas_cannot_load(tmp_path):
    shutil.copytree(list_embedded()["emoji-scenes"], tmp_path / "damaged")
    weights = max(tmp_path.rglob("*.safetensors"), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:1000])
    error, _ = refuse(free_port(), str(tmp_path / "damaged"))
    assert "cannot load the model 'damaged'" in error
    assert weights.name in error
