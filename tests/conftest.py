"""Fixtures of several folders: plugins, a pipeline, peers, the command line, a server of shards."""

import io
import pickle
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distributions
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

from latelier.cli.main import main
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.discovery import discover
from latelier.kernel.trust.entry_points import GROUP, Candidate
from latelier.kernel.trust.policy import Policy
from latelier.pipeline import Pipeline, compose, placement

CLASSES = ("cat", "dog", "fish")
CAPTIONS = [
    f"a {color} {thing} {place}"
    for color in ("red", "blue", "green")
    for thing in ("cat", "dog", "fish")
    for place in ("in a meadow", "on the sea")
]


@pytest.fixture(scope="session", autouse=True)
def full_precision() -> Iterator[None]:
    """Let 'auto' be float32 in this process, whatever the machine: tests compare numbers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placement, "computes_bfloat16", lambda device: False)
        yield


def tiny_parts() -> dict[str, Any]:
    """Return what `compose` needs: latents of 4 channels at half size, a text and a class.

    Its levels have more channels than groups, without which the timestep would have no effect.
    """
    return {
        "first_stage": (
            "autoencoder_kl",
            {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4, "attn_type": "none"},
        ),
        "denoiser": (
            "unet",
            {
                "in_channels": 4,
                "out_channels": 4,
                "model_channels": 16,
                "channel_mult": (1, 2),
                "num_res_blocks": 1,
                "attention_resolutions": (2,),
                "num_heads": 2,
                "num_groups": 4,
                "context_dim": 16,
                "streams": {"text": {"width": 16, "injection": "native"}},
                "vectors": {"label": 8},
            },
        ),
        "conditioners": {
            "text": ("text", {"width": 16, "layers": 1, "heads": 2, "max_length": 32}),
            "label": (
                "class_label",
                {"num_classes": 3, "width": 8, "slot": "vector", "names": CLASSES},
            ),
        },
        "inputs": {"prompt": "text", "label": "label"},
        "process": {"kind": "rectified_flow"},
        "defaults": {"size": 16, "steps": 3, "guidance": 3.0},
    }


def compose_with_weights(atelier: Atelier, **changes: Any) -> Pipeline:
    """Return a tiny pipeline with random weights everywhere, also where they start at zero."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        pipeline = compose(**{**tiny_parts(), **changes}, device="cpu", atelier=atelier)
        for component in pipeline.components().values():
            for weights in component.module.parameters():
                if not weights.any():
                    weights.normal_(std=0.05)
    text = pipeline.conditioner_components.get("text")
    if text is not None:
        text.module.fit(CAPTIONS)
    return pipeline


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let child processes be interrupted, also where this one runs in the background.

    A shell makes background processes ignore SIGINT, and children inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def built_ins() -> Atelier:
    """The built-in plugins, whatever else is installed or configured."""
    return Atelier(policy=Policy(allow=frozenset()))


@pytest.fixture
def with_clip(monkeypatch: pytest.MonkeyPatch) -> Atelier:
    """The built-in plugins and latelier-transformers, as if it were installed."""
    pytest.importorskip("transformers")
    root = Path(__file__).parents[1]
    monkeypatch.syspath_prepend(root / "plugins" / "latelier-transformers")
    plugin = pytest.importorskip("latelier_transformers.plugin").plugin
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(plugin, "latelier-transformers", "1.0")
    return atelier


@pytest.fixture(scope="session")
def run_peer() -> Iterator[Callable[..., Any]]:
    """Call a function of tests/peers, such as "fidelity:frechet_distance", with keywords.

    Peers run in one process of their own: they import torchvision, for which a stub stands there. A
    test whose peer is not installed is skipped.
    """
    command = [sys.executable, Path(__file__).parent / "peers" / "serve.py"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:

        def run(name: str, **arguments: Any) -> Any:
            pickle.dump((name, arguments), process.stdin)
            process.stdin.flush()
            status, value = pickle.load(process.stdout)
            if status == "missing":
                pytest.skip(f"{value} is not installed")
            assert status == "done", value
            return value

        yield run
        process.stdin.close()


@pytest.fixture(scope="session")
def tiny(built_ins: Atelier) -> Pipeline:
    """One tiny pipeline for all tests: it never changes."""
    return compose_with_weights(built_ins)


@pytest.fixture
def compose_tiny(built_ins: Atelier) -> Callable[..., Pipeline]:
    """Compose a tiny pipeline with other parts."""

    def compose_it(atelier: Atelier | None = None, **changes: Any) -> Pipeline:
        return compose_with_weights(atelier or built_ins, **changes)

    return compose_it


@pytest.fixture
def tiny_changes() -> Callable[[], dict[str, Any]]:
    """The arguments of `compose` for a tiny pipeline; each call returns new ones to change."""
    return tiny_parts


_REGISTERS = """
    from latelier import hookimpl

    class Plugin:
        @hookimpl
        def latelier_register(self, registrar):
            {body}

    plugin = Plugin()
"""
_HEALTHY = _REGISTERS.format(body='registrar.sampler("{name}", factory="healthy:sampler")')


class Site:
    """A folder of installed distributions, made by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def publish(
        self,
        distribution: str,
        code: str,
        *,
        module: str | None = None,
        entries: dict[str, str] | None = None,
        group: str = GROUP,
        version: str = "1.0",
    ) -> None:
        """Install a distribution of one module, whose entry point is its `plugin`."""
        module = module or distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(dedent(code))
        info = self.folder / f"{distribution}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        lines = [f"{k} = {v}" for k, v in (entries or {"main": f"{module}:plugin"}).items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    def candidates(self, *more: Path) -> list[Candidate]:
        """Return the plugins installed here, then those in the folders `more`."""
        paths = [str(self.folder), *map(str, more)]
        return discover(distributions(path=paths))

    def atelier(self, policy: Policy | None = None, *, strict: bool = False) -> Atelier:
        """Return an atelier with only the plugins installed here."""
        return Atelier(policy=policy or Policy(), candidates=self.candidates(), strict=strict)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site on sys.path; modules imported from it are removed afterwards."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield Site(folder)
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def publish_healthy(site: Site) -> Callable[..., None]:
    """Install a distribution that registers one sampler, of the name given."""

    def publish(distribution: str = "latelier-healthy", sampler: str = "healthy") -> None:
        site.publish(distribution, _HEALTHY.format(name=sampler))

    return publish


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    status: int
    out: str
    err: str


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path) -> Callable[..., Done]:
    """Run a command line in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(each) for each in arguments])
        out, err = capsys.readouterr()
        return Done(int(ended.value.code or 0), out, err)

    return run


@dataclass
class ShardServer:
    """An http server of tar shards.

    Attributes:
        url: Of its root.
        content: Bytes of each path, such as "/a.tar".
        faults: What goes wrong in the next requests of a path, in order: a status code, a path to
            redirect to, or minus the number of bytes after which the connection ends.
        requests: Paths of all requests.
    """

    url: str
    content: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def add(self, name: str, files: dict[str, bytes]) -> str:
        """Serve a tar shard of these files, and return its URL."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for path, data in files.items():
                member = tarfile.TarInfo(path)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        self.content[f"/{name}"] = buffer.getvalue()
        return f"{self.url}/{name}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request."""
        path = request.path.partition("?")[0]
        self.requests.append(request.path)
        queue = self.faults.get(path, [])
        fault = queue.pop(0) if queue else 0
        data = self.content.get(path)
        if data is None or isinstance(fault, str) or fault > 0:
            status = 302 if isinstance(fault, str) else (fault or 404)
            request.send_response(status)
            if isinstance(fault, str):
                request.send_header("Location", fault)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: -fault or None])


@pytest.fixture
def shard_server() -> Iterator[ShardServer]:
    """A server of tar shards on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_arguments: object) -> None:
            """Print nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = ShardServer(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()
