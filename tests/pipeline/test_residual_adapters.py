"""Adapters that compute residuals at each step: when they are called, and what they change."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component, save_adapter
from latelier.checkpoints.component import new_component
from latelier.checkpoints.lora.layers import find_layers
from latelier.checkpoints.lora.lora import LORA_ID, Lora
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.denoisers.adapter import ATTENTION_ID, create_adapter
from latelier.engine import Engine
from latelier.kernel.atelier import Atelier
from latelier.kernel.trust.policy import Policy
from latelier.nn.low_rank import LowRank
from latelier.pipeline import load
from latelier.pipeline.adapters import Strength
from latelier.pipeline.replay.replay import replay

PROMPT = "a red cat in a meadow"


@pytest.fixture(scope="module")
def plugin():
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        import residuals_plugin

        yield residuals_plugin
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def atelier(plugin):
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(plugin.ResidualsPlugin(), "latelier-edges", "1.0")
    return atelier


@pytest.fixture(scope="module")
def pipe(tiny, atelier):
    return replace(tiny, atelier=atelier)


@pytest.fixture
def edges(plugin, atelier):
    conditioner = new_component("conditioner", "hint", {"patch": 2}, atelier)
    config = {"channels": 32}
    adapter = new_component("adapter_kind", "edges", config, atelier)
    plugin.fill(adapter.module)
    return LoadedAdapter("edges", adapter, conditioner)


@pytest.fixture
def module(edges):
    return edges.adapter.module


@pytest.fixture(scope="module")
def picture():
    levels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def pixels(pipe, **changes):
    request = {"prompt": PROMPT, "seed": 3, **changes}
    return [each.image.tobytes() for each in pipe.generate(**request)]


def test_a_hint_that_is_cropped_or_missing_gets_a_warning(pipe, edges, picture, caplog, tmp_path):
    view = pipe.with_adapter(edges)

    def warnings_of(view, **keywords):
        caplog.clear()
        view.stream(prompt=PROMPT, steps=1, **keywords)
        return [record.getMessage() for record in caplog.records]

    assert warnings_of(view, edges=[picture.resize((30, 20)), picture.resize((90, 60))]) == [
        "edges: the image is 30x20, the picture 16x16: 20x20 around its centre is used; "
        "`size=18x12` fits all of it"
    ]
    assert warnings_of(view, edges=picture.resize((30, 20)), size=(24, 16)) == []
    assert warnings_of(view) == ["the adapter 'edges' has no effect: its input 'edges' is missing"]
    view.save(tmp_path / "model")
    assert warnings_of(load(tmp_path / "model", "cpu", atelier=view.atelier)) == []
    caplog.clear()
    view.stream_json({"inputs": {"prompt": PROMPT}, "steps": 1})
    assert not caplog.records


def test_a_hint_changes_the_picture_and_its_absence_nothing(pipe, edges, module, picture):
    before = pixels(pipe)
    view = pipe.with_adapter(edges)
    assert pixels(view, edges=picture) != before
    assert len(module.calls) == 3
    assert pixels(view) == before
    assert pixels(pipe.with_adapter(edges, 0), edges=picture) == before
    assert len(module.calls) == 3


def test_a_call_sees_what_the_denoiser_sees(pipe, edges, module, picture):
    """Both branches of guidance in one call, without the hint in the condition."""
    pixels(pipe.with_adapter(edges), edges=picture, n=2, guidance=2.0)
    shape, t, spatial, hints = module.calls[0]
    assert (shape, len(t), spatial, hints) == ((4, 4, 8, 8), 4, [], 4)
    assert len({each[1][0].item() for each in module.calls}) == 3


@pytest.mark.parametrize(
    ("start", "end", "steps"),
    [(0, 1, range(10)), (0.3, 1, range(3, 10)), (0, 0.7, range(7)), (0.25, 0.7, range(3, 7))],
)
def test_it_acts_in_a_share_of_the_steps(pipe, edges, module, picture, start, end, steps):
    request = {"edges": picture, "steps": 10, "sampler": "euler"}
    pixels(pipe.with_adapter(edges), **request)
    every = [call[1][0].item() for call in module.calls]
    module.calls.clear()
    pixels(pipe.with_adapter(edges, start=start, end=end), **request)
    assert [call[1][0].item() for call in module.calls] == [every[step] for step in steps]


@pytest.mark.parametrize("steps", [1, 7, 10, 50, 60])
def test_shares_are_whole_steps_where_they_can_be(steps):
    """0.58 of 50 steps, 28.999999999999996, are 29; 0.7 of 10 steps, 7.000000000000001, are 7."""
    sigmas = SigmaGrid(tuple(float(steps - i) for i in range(steps + 1)), "ve")
    for first in range(steps + 1):
        for last in range(first, steps + 1):
            low, high = Strength(1.0, first / steps, last / steps).sigma_range(sigmas)
            acts = [i for i in range(steps) if low < sigmas[i] <= high]
            assert acts == list(range(first, last))


def test_a_share_is_replayed(three, picture, tmp_path):
    view = three.with_adapter(tmp_path / "edges", 0.4, start=0.25, end=0.75, as_="again")
    (made,) = view.generate(prompt=PROMPT, seed=3, again=picture, steps=4)
    made.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", atelier=three.atelier).verdict == "identical"


def test_the_scale_multiplies_the_residuals(pipe, edges, module, picture):
    half = pixels(pipe.with_adapter(edges, 0.5), edges=picture)
    weaker = replace(edges, adapter=replace(edges.adapter, module=Halved(module)))
    assert pixels(pipe.with_adapter(weaker), edges=picture) == half


class Halved:
    def __init__(self, module):
        self.config = module.config
        self._module = module

    def to(self, *_):
        return self

    def parameters(self):
        return []

    def buffers(self):
        return []

    def residuals(self, *arguments):
        return {k: each * 0.5 for k, each in self._module.residuals(*arguments).items()}


def test_two_of_them_add_up(pipe, edges, picture):
    view = pipe.with_adapter(edges, 0.5, as_="one").with_adapter(edges, 0.5, as_="other")
    both = [np.frombuffer(each, np.uint8) for each in pixels(view, one=picture, other=picture)]
    once = pixels(pipe.with_adapter(edges), edges=picture)
    assert np.abs(both[0].astype(int) - np.frombuffer(once[0], np.uint8)).max() <= 1
    assert pixels(view, one=picture) == pixels(pipe.with_adapter(edges, 0.5), edges=picture)


def test_each_row_has_its_hint(pipe, edges, picture):
    """A row without a hint is as without the adapter."""
    view = pipe.with_adapter(edges)
    some = pixels(view, prompt=[PROMPT, PROMPT], edges=[picture, None])
    assert some[0] == pixels(view, prompt=[PROMPT, PROMPT], edges=picture)[0]
    assert some[1] == pixels(pipe, prompt=[PROMPT, PROMPT])[1]


def test_windows_see_their_part_of_the_hint(pipe, edges, module, picture):
    view = pipe.with_adapter(edges)
    large = picture.resize((32, 16))
    assert pixels(view, edges=large, size=(32, 16), window=16, guidance=1.0)
    assert {call[0][2:] for call in module.calls} == {(8, 8)}


def test_threads_use_different_adapters_on_one_model(pipe, edges, plugin, atelier, picture):
    other = new_component("adapter_kind", "edges", {"channels": 32}, atelier)
    plugin.fill(other.module, seed=1)
    views = [pipe.with_adapter(edges), pipe.with_adapter(replace(edges, adapter=other))] * 2
    alone = [pixels(view, edges=picture) for view in views]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda view: pixels(view, edges=picture), views)) == alone
    assert alone[0] != alone[1]


def test_jobs_of_an_engine_have_hints_of_their_own(pipe, edges, picture):
    view = pipe.with_adapter(edges, end=0.5)
    requests = [{"edges": picture}, {}, {"edges": picture.rotate(180)}]
    alone = [view.generate(prompt=PROMPT, seed=3, **each)[0].image for each in requests]
    assert len({each.tobytes() for each in alone}) == 3
    with Engine(view) as engine:
        jobs = [engine.submit(prompt=PROMPT, seed=3, **each) for each in requests]
        for job, image in zip(jobs, alone, strict=True):
            made = np.asarray(job.result()[0].image, int)
            assert np.abs(made - np.asarray(image)).max() <= 1


@pytest.fixture
def three(pipe, edges, tmp_path):
    """A saved model with a LoRA, a palette and a residual adapter, each from its folder."""
    generator = torch.Generator().manual_seed(0)
    changes = {
        address: LowRank(
            torch.randn(1, layer.weight[0].numel(), generator=generator) * 0.3,
            torch.randn(len(layer.weight), 1, generator=generator) * 0.3,
            1.0,
        )
        for address, layer in find_layers(pipe.base_modules()).items()
        if address.endswith("to_k")
    }
    palette = create_adapter(pipe.denoiser, 3)
    with torch.no_grad():
        for weights in palette.parameters():
            weights.add_(0.1)
    vector = new_component("conditioner", "embedding", {"width": 3}, pipe.atelier)
    adapters = [
        LoadedAdapter("style", adapter_component(LORA_ID, Lora(changes))),
        LoadedAdapter("palette", adapter_component(ATTENTION_ID, palette), vector),
        edges,
    ]
    pipe.save(tmp_path / "model")
    for each in adapters:
        save_adapter(each, pipe.base_modules(), tmp_path / each.name)
    view = load(tmp_path / "model", "cpu", atelier=pipe.atelier)
    for each in adapters:
        view = view.with_adapter(tmp_path / each.name, 0.8)
    return view


INPUTS = {"palette": [[1.0, 0.0, 0.0]]}


def test_all_kinds_go_together_and_are_replayed(three, picture, tmp_path):
    (made,) = three.generate(prompt=PROMPT, seed=3, edges=picture, **INPUTS)
    made.save(tmp_path / "a.png")
    assert made.provenance["adapters"].keys() == {"style", "palette", "edges"}
    assert made.provenance["plugins"]["latelier-edges"]["parts"] == ["adapters.edges"]
    assert replay(tmp_path / "a.png", atelier=three.atelier).verdict == "identical"


def test_a_saved_view_keeps_all_kinds(three, picture, tmp_path):
    view = three.with_adapter(tmp_path / "edges", 0.4, start=0.25, end=0.75, as_="again")
    view.save(tmp_path / "view")
    loaded = load(tmp_path / "view", "cpu", atelier=three.atelier)
    inputs = {**INPUTS, "edges": picture, "again": picture}
    assert pixels(loaded, **inputs) == pixels(view, **inputs)
    assert loaded.adapters["again"].strength == view.adapters["again"].strength
    (made,) = loaded.generate(prompt=PROMPT, seed=3, **inputs)
    made.save(tmp_path / "a.png")
    assert replay(tmp_path / "a.png", atelier=three.atelier).verdict == "identical"


class TestFaults:
    def test_a_block_that_the_denoiser_lacks_is_named(self, pipe, edges, atelier):
        other = new_component("adapter_kind", "edges", {"block": "middle"}, atelier)
        with pytest.raises(CompatibilityError, match=r"for another denoiser: .* such as 'middle'"):
            pipe.with_adapter(replace(edges, adapter=other))

    def test_a_conditioner_of_other_channels_is_refused(self, pipe, edges, atelier):
        patches = new_component("conditioner", "hint", {"patch": 1}, atelier)
        with pytest.raises(CompatibilityError, match="one spatial of width 13, got a spatial of 4"):
            pipe.with_adapter(replace(edges, conditioner=patches))
        with pytest.raises(CompatibilityError, match="one spatial of width 13, got nothing"):
            pipe.with_adapter(replace(edges, conditioner=None))

    @pytest.mark.parametrize(("start", "end"), [(0.5, 0.2), (-0.1, 1), (0, 1.1), ("0", 1)])
    def test_an_invalid_share_is_refused(self, pipe, edges, start, end):
        with pytest.raises(InvalidInputError, match=r"start: .* from a start to an end in 0\.\.1"):
            pipe.with_adapter(edges, start=start, end=end)

    def test_changed_weights_take_no_share(self, three, tmp_path):
        with pytest.raises(
            InvalidInputError, match="end: 'style' changes weights, which are the same in all steps"
        ):
            three.with_adapter(tmp_path / "style", end=0.5)
