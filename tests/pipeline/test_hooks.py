"""Hooks observe each step; whatever they do with it, the pictures are the same."""

import threading

import pytest
import torch

from latelier import hookimpl
from latelier.contracts.errors import PluginError
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.provenance.pixels import pixel_hash


class Diary:
    def __init__(self):
        self.lines = []

    @hookimpl
    def latelier_before_step(self, run, step, steps, sigma):
        self.lines.append((run, "before", step, steps, sigma))

    @hookimpl
    def latelier_after_step(self, run, step, steps, sigma):
        self.lines.append((run, "after", step, steps, sigma))

    @hookimpl
    def latelier_images_finished(self, run, pictures):
        self.lines.append((run, "finished", len(pictures)))


def atelier(*plugins, strict=False):
    made = Atelier(policy=Policy(allow=frozenset()), strict=strict)
    for plugin in plugins:
        made.register(plugin, type(plugin).__name__.lower(), "1.0")
    return made


def test_hooks_run_before_and_after_each_step_with_its_sigma(compose_tiny):
    diary = Diary()
    pipeline = compose_tiny(atelier(diary))
    previews = list(pipeline.stream(prompt="a cat", seed=1, steps=3))
    (run,) = {line[0] for line in diary.lines}
    assert [line[1:4] for line in diary.lines[:-1]] == [
        (when, step, 3) for step in (1, 2, 3) for when in ("before", "after")
    ]
    befores = [line[4] for line in diary.lines if line[1] == "before"]
    afters = [line[4] for line in diary.lines if line[1] == "after"]
    assert afters == [preview.sigma for preview in previews]
    assert befores == [pytest.approx(1, abs=0.01), *afters[:-1]]
    assert diary.lines[-1] == (run, "finished", 1)


def test_hooks_run_lazily_with_each_step(compose_tiny):
    diary = Diary()
    stream = compose_tiny(atelier(diary)).stream(prompt="a cat", seed=1, steps=3)
    assert diary.lines == []
    next(stream)
    assert [line[1:3] for line in diary.lines] == [("before", 1), ("after", 1)]
    stream.close()
    assert len(diary.lines) == 2


class Looker:
    """Looks at every step."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def latelier_after_step(self, snapshot):
        self.seen.append((snapshot.latents(), snapshot.images()))


def test_hooks_receive_the_latents_and_images_of_the_stream(compose_tiny):
    looker = Looker()
    previews = list(compose_tiny(atelier(looker)).stream(prompt="a cat", n=2, seed=1, steps=3))
    assert len(looker.seen) == 3
    for (latents, images), preview in zip(looker.seen, previews, strict=True):
        assert torch.equal(latents, preview.latents)
        assert [each.tobytes() for each in images] == [each.tobytes() for each in preview.images]


class Vandal:
    """Does to its arguments all that it can think of."""

    def __init__(self):
        self.left = []

    @hookimpl
    def latelier_before_step(self, step, sigma):
        torch.manual_seed(step)
        torch.rand(step)
        torch.set_grad_enabled(step % 2 == 0)

    @hookimpl
    def latelier_after_step(self, snapshot):
        latents = snapshot.latents()
        latents.zero_()
        latents.requires_grad_()
        for image in snapshot.images():
            image.paste((0, 0, 0), (0, 0, *image.size))
        self.left.append(bool(snapshot.latents().any()))

    @hookimpl
    def latelier_images_finished(self, pictures):
        for picture in (*pictures, *pictures[:1]):
            picture.image.paste((0, 0, 0), (0, 0, *picture.image.size))
            picture.provenance["request"].clear()
        self.left.append([pixel_hash(each.image) for each in pictures])
        raise SystemExit(3)


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "dpmpp_2m_sde", "lms", "ddim"])
def test_no_plugin_changes_a_run(compose_tiny, sampler):
    request = {"prompt": "a cat", "seed": 3, "n": 2, "steps": 4, "sampler": sampler}
    grad, vandal = torch.is_grad_enabled(), Vandal()
    try:
        with torch.random.fork_rng():
            disturbed = compose_tiny(atelier(vandal)).generate(**request)
    finally:
        torch.set_grad_enabled(grad)
    alone = compose_tiny(atelier()).generate(**request)
    pixels = [pixel_hash(each.image) for each in alone]
    assert [pixel_hash(each.image) for each in disturbed] == pixels
    assert [each.provenance["request"] for each in disturbed] == [
        each.provenance["request"] for each in alone
    ]
    assert vandal.left == [True, True, True, True, pixels]


class Failing(Diary):
    @hookimpl
    def latelier_after_step(self, run, step, steps, sigma):
        super().latelier_after_step(run, step, steps, sigma)
        raise ValueError("no luck")


def test_a_failing_plugin_is_disabled_for_the_run_and_called_in_the_next(compose_tiny, caplog):
    failing = Failing()
    pipeline = compose_tiny(atelier(failing))
    for _ in range(2):
        assert len(pipeline.generate(prompt="a cat", seed=1, steps=3)) == 1
    assert [line[1:3] for line in failing.lines] == [("before", 1), ("after", 1)] * 2
    assert len({line[0] for line in failing.lines}) == 2
    message = "latelier_after_step of plugin 'failing:Failing' raised ValueError: no luck"
    assert caplog.text.count(message) == 2


def test_strict_mode_raises(compose_tiny):
    pipeline = compose_tiny(atelier(Failing(), strict=True))
    with pytest.raises(PluginError, match="plugin 'failing:Failing' raised ValueError: no luck"):
        pipeline.generate(prompt="a cat", seed=1, steps=3)


def test_runs_in_threads_have_different_names(compose_tiny):
    diary = Diary()
    pipeline = compose_tiny(atelier(diary))
    threads = [
        threading.Thread(target=pipeline.generate, kwargs={"prompt": "a cat", "steps": steps})
        for steps in (2, 3, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = {line[0] for line in diary.lines}
    steps = [[line[2] for line in diary.lines if line[:2] == (run, "after")] for run in runs]
    assert sorted(steps) == [[1, 2], [1, 2, 3], [1, 2, 3, 4]]
