"""Denoisers that wait or fail where a test says so, and a check that no thread is left."""

import sys
import threading
import time
from textwrap import dedent

import numpy as np
import pytest

from latelier.kernel.atelier import Atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.trust.policy import Policy

WAIT = 20
"""Seconds after which a test that hangs fails."""


class Tampered:
    """A denoiser that does something before each call.

    Attributes:
        rows: of each call so far.
    """

    def __init__(self, denoiser, before):
        self.denoiser = denoiser
        self.before = before
        self.rows = []

    @property
    def config(self):
        return self.denoiser.config

    def __call__(self, x, t, condition, control=None):
        self.rows.append(len(x))
        self.before(x)
        return self.denoiser(x, t, condition, control)


class Gate:
    """Holds the calls of a denoiser until it is opened."""

    def __init__(self):
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, _x):
        self.reached.set()
        assert self.opened.wait(WAIT)

    def wait(self):
        assert self.reached.wait(WAIT)

    def open(self):
        self.opened.set()


@pytest.fixture
def tamper(tiny):
    """A tiny pipeline whose denoiser does something first, and the denoiser."""

    def make(before=lambda _x: None, pipe=tiny):
        denoiser = Tampered(pipe.denoiser, before)
        return pipe.with_denoiser(denoiser), denoiser

    return make


@pytest.fixture
def gate():
    """A gate that is open at the end of the test, whatever happens."""
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Each test ends all threads that it starts."""
    yield
    left = [each.name for each in threading.enumerate() if each.name.startswith("latelier-")]
    assert not left


@pytest.fixture
def difference():
    """The greatest difference of the pixels of two lists of pictures."""

    def of(some, others):
        levels = [
            [np.asarray(picture.image, dtype=int) for picture in each] for each in (some, others)
        ]
        return max(np.abs(a - b).max() for a, b in zip(*levels, strict=True))

    return of


@pytest.fixture
def eventually():
    """Wait until a condition holds."""

    def wait(condition):
        end = time.monotonic() + WAIT
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.002)

    return wait


@pytest.fixture
def pipe_with_plugin(compose_tiny, tmp_path, monkeypatch):
    """A tiny pipeline with 'plugin/sampler' or 'plugin/guidance': functions of these names."""

    class Plugin:
        @hookimpl
        def latelier_register(self, registrar):
            registrar.sampler("sampler", factory="plugin_of_the_test:sampler")
            registrar.guidance("guidance", factory="plugin_of_the_test:guidance")

    def make(code):
        (tmp_path / "plugin_of_the_test.py").write_text(dedent(code))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "plugin_of_the_test", raising=False)
        atelier = Atelier(policy=Policy(allow=frozenset()))
        atelier.register(Plugin(), "plugin", "1.0")
        return compose_tiny(atelier)

    return make
