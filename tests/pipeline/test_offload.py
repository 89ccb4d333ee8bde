"""Offloaded weights are on the device around their calls, and nowhere else; pictures are equal."""

import pytest
import torch
from torch import nn

import latelier
from latelier.checkpoints.component import tensors_of
from latelier.contracts.errors import CompatibilityError, InvalidInputError, NotEnoughMemoryError
from latelier.engine import Engine
from latelier.nn.compilation import find_blocks
from latelier.pipeline import offload
from latelier.pipeline.planning import memory

REQUEST = {"prompt": "a cat", "seed": 3, "steps": 2}


class Recorder:
    """Stands for a device: names the module of each tensor that is placed or removed."""

    def __init__(self, pipeline):
        blocks = find_blocks(pipeline.denoiser)
        modules = {f"block {index}": block for index, block in enumerate(blocks)}
        modules |= {"denoiser": pipeline.denoiser, "first stage": pipeline.first_stage}
        modules |= {f"conditioner {name}": each for name, each in pipeline.conditioners.items()}
        self.names = {}
        for name, module in modules.items():
            for each in tensors_of(module):
                self.names.setdefault(each.data_ptr(), name)
        self.tensors = [each for module in modules.values() for each in tensors_of(module)]
        self.events = []

    def move(self, tensor, device, dtype):
        name = self.names.get(tensor.data_ptr())
        self.events += [] if name is None else [name]
        return tensor.to(device, dtype, copy=True)

    def placed(self):
        """The names of the modules that are not in main memory now."""
        hosts = self.names.keys()
        return {each.data_ptr() for each in self.tensors if each.numel()} - hosts

    def order(self):
        """The modules in the order of placement, without repetition in a row."""
        return [
            name
            for last, name in zip([None, *self.events], self.events, strict=False)
            if name != last
        ]


@pytest.fixture
def tiny_model(compose_tiny, tmp_path):
    compose_tiny().save(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def load_offloaded(tiny_model, monkeypatch):
    def load_it(mode):
        pipeline = latelier.load(tiny_model, "cpu", "float32", offload=mode)
        recorder = Recorder(pipeline)
        monkeypatch.setattr(offload, "move", recorder.move)
        return pipeline, recorder

    return load_it


@pytest.mark.parametrize("mode", ["components", "blocks"])
def test_pictures_are_those_of_a_pipeline_on_the_device(load_offloaded, tiny_model, mode):
    expected = latelier.load(tiny_model, "cpu", "float32").generate(**REQUEST)[0]
    pipeline, recorder = load_offloaded(mode)
    for _ in range(2):
        assert pipeline.generate(**REQUEST)[0].image.tobytes() == expected.image.tobytes()
        assert not recorder.placed()


def test_components_are_placed_one_after_the_other(load_offloaded):
    pipeline, recorder = load_offloaded("components")
    pipeline.generate(**REQUEST)
    kinds = [name.partition(" ")[0] for name in recorder.order()]
    first = kinds.index("block")
    assert set(kinds[:first]) <= {"conditioner", "denoiser"}
    assert kinds[-1] == "first"
    assert set(kinds[first:-1]) == {"block", "denoiser"}


def test_each_block_is_placed_for_its_call_and_copied_before_it(load_offloaded):
    pipeline, recorder = load_offloaded("blocks")
    blocks = find_blocks(pipeline.denoiser)
    hosts = [each.data_ptr() for block in blocks for each in tensors_of(block)]
    together, prefetched = [], []

    def check(block, _):
        prefetched.append(next(block.parameters()).data_ptr() not in hosts)

    def count(*_):
        together.append(sum(next(block.parameters()).data_ptr() not in hosts for block in blocks))

    for block in blocks:
        block.register_forward_pre_hook(check)
        block.register_forward_hook(count)
    pipeline.generate(**REQUEST)
    assert len(together) >= 2 * len(blocks)
    assert set(together) == {1}
    assert not prefetched[0]
    assert all(prefetched[1:])
    order = [name for name in recorder.order() if name.startswith("block")]
    assert order[: len(blocks)] == [f"block {index}" for index in range(len(blocks))]


def test_tensors_are_placed_in_the_precision_of_the_pipeline_and_come_back():
    tensors = [torch.nn.Parameter(torch.ones(2), requires_grad=False), torch.arange(2)]
    hosts = [each.data_ptr() for each in tensors]
    placement = offload.Placement(tensors, torch.device("cpu"), torch.bfloat16)
    placement.put()
    assert [each.dtype for each in tensors] == [torch.bfloat16, torch.int64]
    placement.remove()
    assert [each.data_ptr() for each in tensors] == hosts
    assert [each.dtype for each in tensors] == [torch.float32, torch.int64]


@pytest.mark.parametrize("mode", ["components", "blocks"])
def test_an_exception_leaves_nothing_placed(load_offloaded, mode):
    pipeline, recorder = load_offloaded(mode)
    block = find_blocks(pipeline.denoiser)[1]

    def fail(*_):
        assert recorder.placed()
        raise RuntimeError("no")

    handle = block.register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="no"):
        pipeline.generate(**REQUEST)
    assert not recorder.placed()
    handle.remove()
    pipeline.generate(**REQUEST)


def test_a_run_that_is_given_up_leaves_nothing_placed(load_offloaded):
    pipeline, recorder = load_offloaded("components")
    previews = pipeline.stream(**REQUEST)
    next(previews)
    assert recorder.placed()
    with pytest.raises(InvalidInputError, match="one run at a time"):
        pipeline.generate(**REQUEST)
    previews.close()
    assert not recorder.placed()


def test_a_preview_is_decoded_on_the_device_in_its_run_and_after_it(load_offloaded):
    pipeline, recorder = load_offloaded("components")
    previews = list(pipeline.stream(**REQUEST, n=2, batch_size=1))
    recorder.events.clear()
    late = [preview.image.tobytes() for preview in previews]
    assert recorder.order() == ["first stage"]
    assert not recorder.placed()
    run = pipeline.stream(**REQUEST, n=2, batch_size=1)
    seen, last = [], None
    for preview in run:  # those of the first batch are decoded in the second too
        seen.append(preview.image.tobytes())
        assert last is None or last.decode(last.latents)
        last = preview
    assert seen == late


def test_a_preview_is_not_decoded_beside_another_run(load_offloaded):
    pipeline, recorder = load_offloaded("components")
    first, *_ = pipeline.stream(**REQUEST)
    other = pipeline.stream(**REQUEST)
    next(other)
    with pytest.raises(InvalidInputError, match="one run at a time"):
        _ = first.image
    other.close()
    assert first.image
    assert not recorder.placed()


def test_what_is_encoded_is_brought_to_the_weights():
    stage = nn.Sequential(nn.Linear(2, 2)).half()
    stage.encode = stage.forward
    placing = offload.Offload("components", torch.device("cpu"), torch.bfloat16).placing
    with placing(nn.Sequential(), [stage]):
        assert stage.encode(torch.ones(1, 2).half()).dtype == torch.bfloat16


def test_calls_without_a_run_are_refused(load_offloaded):
    pipeline, _ = load_offloaded("components")
    with pytest.raises(CompatibilityError, match="offload"):
        pipeline.denoise_fn(prompt="a cat")
    with pytest.raises(CompatibilityError, match="offload"):
        pipeline.with_denoiser(pipeline.denoiser)
    with pytest.raises(CompatibilityError, match="offload"):
        Engine(pipeline)
    assert pipeline.to("cpu").denoise_fn(prompt="a cat")


@pytest.mark.parametrize(
    ("options", "named"),
    [({"offload": "all"}, "all"), ({"offload": "blocks", "compile": True}, "compile")],
)
def test_bad_options_are_refused(tiny_model, options, named):
    with pytest.raises(InvalidInputError, match=f"offload: .*{named}"):
        latelier.load(tiny_model, "cpu", **options)


def test_a_model_that_does_not_fit_names_the_option(compose_tiny, monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda _: 10)
    with pytest.raises(NotEnoughMemoryError, match="offload='components'"):
        memory.check_model_fits(
            compose_tiny().components().values(), torch.device("cuda"), torch.float32
        )
