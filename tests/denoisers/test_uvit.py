from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import ConditionError, InvalidInputError
from latelier.denoisers.adapter import ActiveAdapter, create_adapter
from latelier.denoisers.configs import UViTConfig
from latelier.denoisers.forward_context import ForwardContext
from latelier.denoisers.injection import Context
from latelier.denoisers.uvit import UViT

STREAM: dict[str, Any] = {
    "context_dim": 16,
    "streams": {"text": {"width": 8}},
}
T = torch.tensor([10.0, 700.0])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def new_uvit(**options: Any) -> UViT:
    values = {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 8,
        "num_groups": 4,
        "hidden_size": 16,
        "depth": 2,
        "num_heads": 2,
    }
    return UViT(UViTConfig.model_validate({**values, **options}))


class TestANewModel:
    def test_predicts_zero(self) -> None:
        condition = Condition({"text": Stream(draw(2, 3, 8))})
        assert new_uvit(**STREAM)(draw(2, 4, 8, 8), T, condition).abs().max() == 0

    def test_predicts_zero_with_gates(self) -> None:
        condition = Condition(spatial={"shown": draw(2, 5, 8, 8)})
        model = new_uvit(spatial={"shown": 5}, copies=("shown",))
        assert model(draw(2, 4, 8, 8), T, condition).abs().max() == 0

    def test_has_blocks_that_the_timestep_does_not_change_yet(self) -> None:
        block, tokens = new_uvit().blocks[0], draw(2, 16, 16)
        ctx = ForwardContext(torch.zeros(2), draw(2, 16))
        h = tokens + block.attn(layer_norm(tokens, (16,), eps=1e-6), None, (4, 4), ctx)
        expected = h + block.mlp(layer_norm(h, (16,), eps=1e-6))
        torch.testing.assert_close(block(tokens, torch.zeros(2, 6, 16), (4, 4), ctx), expected)

    def test_can_be_built_without_storage(self) -> None:
        with torch.device("meta"):
            model = new_uvit(**STREAM, spatial={"mask": 1}, vectors={"size": 6})
        assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(
    "options", [{}, STREAM, {"patch_size": 4}, {"patch_size": 1}, {"num_res_blocks": 2}]
)
def test_the_prediction_has_the_size_of_x_and_depends_on_every_input(
    small_uvit: Any, options: dict[str, Any]
) -> None:
    model = small_uvit(**options)
    x = draw(2, 4, 8, 12)
    y = model(x, T, Condition())
    assert y.shape == (2, 4, 8, 12)
    assert (model(x, T + 50, Condition()) - y).abs().amax() > 1e-4
    assert (model(x + 0.1, T, Condition()) - y).abs().amax() > 1e-3
    if options is STREAM:
        text = Condition({"text": Stream(draw(2, 3, 8))})
        assert (model(x, T, text) - y).abs().amax() > 1e-3


def test_gates_copy_x_and_the_first_channels_of_parts() -> None:
    model = new_uvit(spatial={"mask": 5, "shown": 5}, copies=("shown", "mask"))
    torch.nn.init.constant_(model.gates.bias[:4], 2.0)
    torch.nn.init.constant_(model.gates.bias[4:8], -3.0)
    x, mask, shown = draw(2, 4, 8, 12), draw(2, 5, 8, 12, seed=1), draw(2, 5, 8, 12, seed=2)
    condition = Condition(spatial={"mask": mask, "shown": shown})
    torch.testing.assert_close(model(x, T, condition), 2 * x - 3 * shown[:, :4])
    with torch.autocast("cpu", torch.bfloat16):  # they are added in the type of x
        exact = model(x, T, condition)
    torch.testing.assert_close(exact, 2 * x - 3 * shown[:, :4])


def test_gates_copy_all_latents_of_a_part_but_not_what_follows() -> None:
    model = new_uvit(spatial={"mask": 5, "shown": 10}, copies=("shown", "mask"))
    for first, gate in ((4, -3.0), (8, 5.0), (12, 7.0)):
        torch.nn.init.constant_(model.gates.bias[first : first + 4], gate)
    x, mask, shown = draw(2, 4, 8, 12), draw(2, 5, 8, 12, seed=1), draw(2, 10, 8, 12, seed=2)
    predicted = model(x, T, Condition(spatial={"mask": mask, "shown": shown}))
    assert len(model.gates.bias) == 16
    expected = 5 * shown[:, 4:8] - 3 * shown[:, :4] + 7 * mask[:, :4]
    torch.testing.assert_close(predicted, expected)


def test_gates_depend_on_normalised_features(small_uvit: Any) -> None:
    model = small_uvit(spatial={"shown": 4}, copies=("shown",))
    torch.nn.init.zeros_(model.gates.bias)
    x, condition = draw(2, 4, 8, 8), Condition(spatial={"shown": draw(2, 4, 8, 8, seed=1)})
    model.gates.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.out[1].register_forward_hook(lambda _, __, out: features.append(out))
    seen: list[Tensor] = []
    features: list[Tensor] = []
    model(x, T, condition)
    torch.testing.assert_close(seen[0], features[0])
    model.output_block.register_forward_hook(lambda _, __, out: 5 * out)
    model(x, T, condition)
    torch.testing.assert_close(seen[1], seen[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copies": ("shown",)}, "copies names 'shown'; name spatial parts of at least"),
        ({"copies": ("mask",), "spatial": {"mask": 3}}, "of at least out_channels=4 channels"),
        ({"copies": ("shown",) * 2, "spatial": {"shown": 4}}, "each once"),
        (
            {"copies": ("shown",), "spatial": {"shown": 8}, "out_channels": 8},
            "in_channels=4 must be out_channels=8",
        ),
    ],
)
def test_copies_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new_uvit(**options)


def test_patches_come_back_to_their_places(small_uvit: Any) -> None:
    """Without blocks that mix them, and without convolutions, a patch moves itself alone."""
    model = small_uvit()
    h = draw(1, 8, 8, 12)
    changed = h.clone()
    changed[:, :, 2:4, 6:8] += 1
    model.blocks = torch.nn.ModuleList()
    ctx = ForwardContext(T[:1], draw(1, 16))
    moved = (model._run_transformer(h, ctx) - model._run_transformer(changed, ctx)).abs() > 1e-6
    assert moved[:, :, 2:4, 6:8].any(dim=1).all()
    moved[:, :, 2:4, 6:8] = False
    assert not moved.any()


def test_tokens_know_their_positions(small_uvit: Any) -> None:
    model = small_uvit()
    # far from the edges, whose padding also tells convolutions where they are
    y = model(torch.ones(1, 4, 24, 24), T[:1], Condition())
    middle = y[..., 8:16, 8:16]
    assert middle[..., :2, :2].sub(middle[..., 2:4, :2]).abs().max() > 1e-3
    assert middle[..., :2, :2].sub(middle[..., :2, 2:4]).abs().max() > 1e-3


def test_a_block_equals_its_formula(small_uvit: Any) -> None:
    """Joint attention and feed-forward under adaLN-single, written out."""
    block = small_uvit(**STREAM, mlp_ratio=3.0).blocks[0]
    tokens, shared, text = draw(2, 6, 16), draw(2, 6, 16, seed=1), draw(2, 3, 16, seed=2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    ctx = ForwardContext(torch.zeros(2), draw(2, 16), Context.of(Stream(text, mask)))
    with torch.no_grad():
        modulation = shared + block.modulation
        beta1, gamma1, alpha1, beta2, gamma2, alpha2 = modulation[:, :, None].unbind(1)
        h, c = (layer_norm(each, (16,), eps=1e-6) * (1 + gamma1) + beta1 for each in (tokens, text))
        joined = torch.cat([h, c], dim=1)
        q, k, v = (
            part.view(2, -1, 2, 8).transpose(1, 2)
            for part in (block.attn.to_q(h), block.attn.to_k(joined), block.attn.to_v(joined))
        )
        allowed = torch.cat([torch.ones(2, 6, dtype=torch.bool), mask], dim=1)[:, None, None]
        found = scaled_dot_product_attention(q, k, v, allowed).transpose(1, 2).reshape(2, 6, 16)
        x = tokens + (1 + alpha1) * block.attn.to_out(found)
        h = layer_norm(x, (16,), eps=1e-6) * (1 + gamma2) + beta2
        inner = gelu(block.mlp.fc1(h), approximate="tanh")
        assert inner.shape == (2, 6, 48)
        expected = x + (1 + alpha2) * block.mlp.fc2(inner)
        result = block(tokens, shared, (2, 3), ctx)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_a_region_limits_where_a_stream_acts(small_uvit: Any) -> None:
    block = small_uvit(**STREAM).blocks[0]
    tokens, shared = draw(1, 8, 16), draw(1, 6, 16, seed=1)
    region = torch.zeros(1, 1, 4, 8)
    region[..., :4] = 1
    context = Context.of(Stream(draw(1, 3, 16, seed=2), region=region))
    with torch.no_grad():
        alone, told = (
            block(tokens, shared, (2, 4), ForwardContext(torch.zeros(1), draw(1, 16), each))
            for each in (None, context)
        )
    moved = (told - alone).abs().amax(dim=2).view(2, 4)
    assert moved[:, :2].amin() > 1e-3
    torch.testing.assert_close(moved[:, 2:], torch.zeros(2, 2), rtol=0, atol=1e-6)


def test_tokens_with_strengths_of_their_own_are_not_merged(small_uvit: Any) -> None:
    attention, tokens = small_uvit(**STREAM).blocks[0].attn, draw(1, 8, 16)
    region = torch.zeros(1, 1, 4, 8)
    region[..., :4] = 1
    context = Context.of(Stream(draw(1, 3, 16, seed=2), region=region))

    def merge(attend: Any, tokens: Tensor, *_: Any) -> Tensor:
        return attend(tokens[:, ::2]).repeat_interleave(2, dim=1)

    plain, merged = (
        attention(tokens, context.tokens, (2, 4), ForwardContext(T[:1], tokens, context, (), each))
        for each in (Control(), Control(self_attention=merge))
    )
    assert torch.equal(plain, merged)


def test_an_adapter_is_added_before_the_output_layer(small_uvit: Any) -> None:
    model = small_uvit(**STREAM)
    adapter = create_adapter(model, width=8)
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter.copy_(draw(*parameter.shape, seed=4))
    attention, h = model.blocks[0].attn, draw(1, 6, 16)
    stream = Stream(draw(1, 3, 8, seed=2))
    active = ActiveAdapter(adapter, Context.of(stream), 0.5)
    with torch.no_grad():
        plain, adapted = (
            attention(h, None, (2, 3), ForwardContext(torch.zeros(1), h, adapters=each))
            for each in ((), (active,))
        )
        keys_values = adapter.layer("blocks.0.attn")
        q, k, v = (
            part.view(1, -1, 2, 8).transpose(1, 2)
            for part in (attention.to_q(h), *keys_values(stream.tokens))
        )
        found = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(1, 6, 16)
        expected = plain + 0.5 * found @ attention.to_out[0].weight.T
    torch.testing.assert_close(adapted, expected, rtol=1e-4, atol=1e-5)


class TestControl:
    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("input_block", (1, 8, 8, 12)),
            ("blocks.0", (1, 16, 4, 6)),
            ("blocks.1", (1, 16, 4, 6)),
            ("output_block", (1, 8, 8, 12)),
        ],
    )
    def test_a_residual_of_every_block_changes_the_prediction(
        self, small_uvit: Any, name: str, shape: tuple[int, ...]
    ) -> None:
        model, x = small_uvit(), draw(1, 4, 8, 12)
        y = model(x, T[:1], Condition())
        moved = model(x, T[:1], Condition(), Control({name: draw(*shape, seed=3)}))
        assert (moved - y).abs().amax() > 1e-3
        assert torch.equal(model(x, T[:1], Condition()), y)

    def test_perturbed_attention_mixes_no_positions_and_hears_the_streams(
        self, small_uvit: Any
    ) -> None:
        attention, h, text = small_uvit(**STREAM).blocks[0].attn, draw(1, 6, 16), draw(1, 3, 16)
        control = Control(perturbed_attention=frozenset({"blocks.0.attn"}))
        context = Context.of(Stream(text))
        changed = torch.cat([h[:, :1] + 1, h[:, 1:]], dim=1)
        with torch.no_grad():
            ctx = ForwardContext(torch.zeros(1), h, context, control=control)
            one, other = (attention(each, text, (2, 3), ctx) for each in (h, changed))
            deaf = attention(h, None, (2, 3), ForwardContext(torch.zeros(1), h, control=control))
            own = attention.to_out(attention.to_v(h))
        assert (one - other).abs().amax(dim=2)[0, 0] > 1e-3
        torch.testing.assert_close(one[:, 1:], other[:, 1:])
        assert (one - deaf).abs().amin(dim=1).amax() > 1e-3
        torch.testing.assert_close(deaf, own, rtol=1e-4, atol=1e-5)

    def test_an_unknown_name_is_refused(self, small_uvit: Any) -> None:
        model, control = small_uvit(), Control({"blocks.2": torch.zeros(1)})
        with pytest.raises(ConditionError, match=r"no block 'blocks\.2'"):
            model(draw(1, 4, 8, 8), T[:1], Condition(), control)


def test_an_x_of_the_wrong_shape_is_refused(small_uvit: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"takes \(B, 4, h, w\), h and w multiples of 2"):
        small_uvit()(torch.zeros(2, 4, 7, 8), torch.zeros(2), Condition())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model_channels": 9}, "num_groups=4"),
        ({"hidden_size": 18}, "multiple of 4"),
        ({"num_heads": 3}, "num_heads=3 does not divide"),
        ({"input_size": 33}, "multiple of patch_size=2"),
        ({"context_dim": 8, "streams": {"text": {"width": 8}}}, "must be hidden_size=16"),
        (
            {"context_dim": 16, "streams": {"text": {"width": 16, "injection": "native"}}},
            "declare it as 'named'",
        ),
        ({"model_channels": 2**19, "patch_size": 8}, "model_channels"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new_uvit(**options)
