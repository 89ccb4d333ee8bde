"""What a caller puts around self-attentions and around the deep branch."""

import pytest
import torch

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import ConditionError

STREAM = {"context_dim": 8, "streams": {"text": {"width": 8, "injection": "native"}}}


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def call_of(model):
    text = Condition({"text": Stream(draw(2, 3, 8, seed=1))} if model.config.streams else {})
    return draw(2, 4, 8, 8), torch.tensor([1.0, 900.0]), text


class Recorder:
    """Wraps self-attentions, and changes nothing."""

    def __init__(self):
        self.seen = []

    def __call__(self, attend, tokens, size, t):
        self.seen.append((tuple(tokens.shape), size, t.tolist()))
        return attend(tokens)


class Stored:
    """Wraps the deep branch, computes it once, and uses it again."""

    def __init__(self, depth):
        self.depth = depth
        self.features = None
        self.computed = 0

    def __call__(self, compute):
        if self.features is None:
            self.features = compute()
            self.computed += 1
        return self.features


@pytest.fixture(params=["unet", "unet without context", "transformer"])
def model(request, small_unet, small_transformer):
    if request.param == "transformer":
        return small_transformer(**STREAM)
    return small_unet(**(STREAM if request.param == "unet" else {}))


def test_every_self_attention_is_wrapped_with_its_map(model):
    recorder = Recorder()
    with torch.no_grad():
        wrapped = model(*call_of(model), Control(self_attention=recorder))
        plain = model(*call_of(model))
    assert torch.equal(wrapped, plain)
    names = {name for name in model.spec.self_attentions if not name.endswith(".attn1")}
    assert len(recorder.seen) == len(names)
    for shape, (h, w), t in recorder.seen:
        assert shape[:2] == (2, h * w)
        assert t == [1.0, 900.0]


def test_the_wrapper_makes_the_output_of_the_attention(model):
    halved = Control(self_attention=lambda attend, tokens, *_: attend(tokens) / 2)
    with torch.no_grad():
        assert not torch.equal(model(*call_of(model), halved), model(*call_of(model)))


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_a_deep_branch_is_what_it_replaces(small_unet, depth):
    model = small_unet(**STREAM)
    assert len(model.input_blocks) == 4
    stored = Stored(depth)
    with torch.no_grad():
        plain = model(*call_of(model))
        computed = model(*call_of(model), Control(deep_branch=stored))
        again = model(*call_of(model), Control(deep_branch=stored))
    assert torch.equal(computed, plain)
    assert torch.equal(again, plain)
    assert stored.computed == 1


def test_blocks_outside_of_the_branch_see_each_call(small_unet):
    model, stored = small_unet(**STREAM), Stored(1)
    x, t, text = call_of(model)
    ran = []
    for name in ("input_blocks.0", "input_blocks.1", "middle_block", "output_blocks.3"):
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: ran.append(name))
    with torch.no_grad():
        first = model(x, t, text, Control(deep_branch=stored))
        ran.clear()
        other = model(x + 1, t, text, Control(deep_branch=stored))
    assert ran == ["input_blocks.0", "output_blocks.3"]
    assert not torch.equal(first, other)


@pytest.mark.parametrize("depth", [0, 5])
def test_a_depth_that_does_not_exist_is_refused(small_unet, depth):
    model = small_unet(**STREAM)
    with pytest.raises(ConditionError, match=f"depth {depth}; this denoiser has 1 to 4"):
        model(*call_of(model), Control(deep_branch=Stored(depth)))


def test_a_transformer_has_no_deep_branch(small_transformer):
    model = small_transformer(**STREAM)
    assert "deep_branch" not in model.config.supports
    with pytest.raises(ConditionError, match="this denoiser has no deep branch"):
        model(*call_of(model), Control(deep_branch=Stored(1)))
