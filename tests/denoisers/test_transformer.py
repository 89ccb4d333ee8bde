from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream, concat
from latelier.contracts.errors import ConditionError, InvalidInputError
from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.forward_context import ForwardContext
from latelier.denoisers.injection import Context
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.transformer_blocks import DiTBlock

STREAM: dict[str, Any] = {
    "context_dim": 8,
    "streams": {"text": {"width": 8, "injection": "native"}},
}
FULL: dict[str, Any] = {
    "context_dim": 8,
    "streams": {"text": {"width": 8, "injection": "native"}, "palette": {"width": 3}},
    "spatial": {"mask": 1, "depth": 2},
    "vectors": {"size": 6, "label": 16},
    "native_vectors": ("label",),
}
T = torch.tensor([10.0, 700.0])


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def new_transformer(**options: Any) -> Transformer:
    values = {"in_channels": 4, "out_channels": 4, "hidden_size": 16, "depth": 2, "num_heads": 2}
    return Transformer(TransformerConfig.model_validate({**values, **options}))


def full_condition(batch: int, h: int = 8, w: int = 8) -> Condition:
    mask = torch.arange(5) <= torch.arange(batch)[:, None] % 5
    return Condition(
        {"text": Stream(draw(batch, 5, 8), mask), "palette": Stream(draw(batch, 2, 3, seed=1))},
        {"mask": draw(batch, 1, h, w, seed=2), "depth": draw(batch, 2, h, w, seed=3)},
        {"size": draw(batch, 6, seed=4), "label": draw(batch, 16, seed=5)},
    )


class TestANewModel:
    def test_predicts_zero(self) -> None:
        condition = Condition({"text": Stream(draw(2, 3, 8))})
        assert new_transformer(**STREAM)(draw(2, 4, 8, 8), T, condition).abs().max() == 0

    def test_passes_its_tokens_unchanged_through_every_block(self) -> None:
        """adaLN-Zero: each block is the identity at first, cross-attention included."""
        model = new_transformer(**STREAM)
        tokens = draw(2, 16, 16)
        context = Context.of(Stream(draw(2, 3, 8)))
        ctx = ForwardContext(torch.zeros(2), draw(2, 16), context)
        for block in model.blocks:
            assert torch.equal(block(tokens, (4, 4), ctx), tokens)

    def test_is_initialised_as_published(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = new_transformer(hidden_size=64, patch_size=4)
        bounds = {
            "blocks.0.attn.qkv": (6 / (64 + 192)) ** 0.5,
            "x_embedder.proj": (6 / (64 + 4 * 16)) ** 0.5,
        }
        for name, bound in bounds.items():
            layer = model.get_submodule(name)
            assert 0.95 * bound < layer.get_parameter("weight").abs().max() <= bound
            assert not layer.get_parameter("bias").any()
        deviation = model.t_embedder.mlp[0].get_parameter("weight").std().item()
        assert deviation == pytest.approx(0.02, rel=0.1)
        zero = {name.removesuffix(".weight") for name, p in model.named_parameters() if not p.any()}
        assert {name for name in zero if not name.endswith("bias")} == {
            "blocks.0.adaLN_modulation.1",
            "blocks.1.adaLN_modulation.1",
            "final_layer.adaLN_modulation.1",
            "final_layer.linear",
        }

    def test_can_be_built_without_storage(self) -> None:
        with torch.device("meta"):
            model = new_transformer(**FULL)
        assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize(
    "options", [{}, STREAM, {"patch_size": 4}, {"patch_size": 1}, {"out_channels": 6}]
)
def test_the_prediction_has_the_size_of_x_and_depends_on_every_input(
    small_transformer: Any, options: dict[str, Any]
) -> None:
    model = small_transformer(**options)
    x = draw(2, 4, 8, 12)
    y = model(x, T, Condition())
    assert y.shape == (2, model.config.out_channels, 8, 12)
    assert (model(x, T + 50, Condition()) - y).abs().amax() > 1e-4
    assert (model(x + 0.1, T, Condition()) - y).abs().amax() > 1e-3


def test_unpatchify_inverts_patchify(small_transformer: Any) -> None:
    """With the blocks and the positions out of the way, a patch moves its own latents alone."""
    model = small_transformer()
    with torch.no_grad():
        for block in model.blocks:
            block.adaLN_modulation[1].weight.zero_()
            block.adaLN_modulation[1].bias.zero_()
    x = draw(1, 4, 8, 12)
    changed = x.clone()
    changed[:, :, 2:4, 6:8] += 1
    moved = (model(x, T[:1], Condition()) - model(changed, T[:1], Condition())).abs() > 1e-6
    assert moved[:, :, 2:4, 6:8].all()
    moved[:, :, 2:4, 6:8] = False
    assert not moved.any()


def test_the_learned_variance_is_dropped(small_transformer: Any) -> None:
    model, x = small_transformer(learn_sigma=True), draw(1, 4, 8, 8)
    y = model(x, T[:1], Condition())
    assert y.shape == x.shape
    weight = model.final_layer.linear.weight.view(2, 2, 8, 16)
    with torch.no_grad():
        weight[:, :, 4:] += 1
    assert torch.equal(model(x, T[:1], Condition()), y)
    with torch.no_grad():
        weight[:, :, :4] += 1
    assert not torch.equal(model(x, T[:1], Condition()), y)


def test_positions_change_the_prediction(small_transformer: Any) -> None:
    model = small_transformer()
    flat = torch.ones(1, 4, 8, 8)
    y = model(flat, T[:1], Condition())
    assert y[..., :2, :2].sub(y[..., 2:4, :2]).abs().max() > 1e-3
    assert y[..., :2, :2].sub(y[..., :2, 2:4]).abs().max() > 1e-3


def test_a_block_equals_the_formula_of_the_paper(small_transformer: Any) -> None:
    """Self-attention and feed-forward under adaLN-Zero, written out; no context."""
    block = small_transformer(num_heads=4, mlp_ratio=3.0).blocks[0]
    tokens, emb = draw(2, 6, 16), draw(2, 16, seed=1)
    with torch.no_grad():
        beta1, gamma1, alpha1, beta2, gamma2, alpha2 = block.adaLN_modulation(emb)[:, None].split(
            16, dim=2
        )
        h = layer_norm(tokens, (16,), eps=1e-6) * (1 + gamma1) + beta1
        q, k, v = block.attn.qkv(h).view(2, 6, 3, 4, 4).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(2, 3) / 2).softmax(dim=3)
        x = tokens + alpha1 * block.attn.proj((weights @ v).transpose(1, 2).reshape(2, 6, 16))
        h = layer_norm(x, (16,), eps=1e-6) * (1 + gamma2) + beta2
        inner = gelu(block.mlp.fc1(h), approximate="tanh")
        assert inner.shape == (2, 6, 48)
        expected = x + alpha2 * block.mlp.fc2(inner)
        result = block(tokens, (2, 3), ForwardContext(torch.zeros(2), emb))
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)


def test_cross_attention_is_between_self_attention_and_mlp(small_transformer: Any) -> None:
    block: DiTBlock = small_transformer(**STREAM).blocks[0]
    tokens, text = draw(2, 6, 16), draw(2, 3, 8, seed=2)
    entered: dict[str, Tensor] = {}
    for name in ("norm_cross", "norm2"):
        getattr(block, name).register_forward_hook(
            lambda module, args, output, name=name: entered.update({name: args[0]})
        )
    context = Context.of(Stream(text))
    with torch.no_grad():
        block(tokens, (2, 3), ForwardContext(torch.zeros(2), draw(2, 16, seed=1), context))
        cross = block.cross_attn
        h = block.norm_cross(before := entered["norm_cross"])
        q, k, v = (
            part.view(2, -1, 2, 8).transpose(1, 2)
            for part in (cross.to_q(h), cross.to_k(text), cross.to_v(text))
        )
        found = scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 6, 16)
        expected = before + cross.to_out[0](found)
    torch.testing.assert_close(entered["norm2"], expected)
    assert (expected - before).abs().max() > 0.1


class TestConditions:
    def test_every_part_changes_the_prediction(self, small_transformer: Any) -> None:
        model, x = small_transformer(**FULL), draw(2, 4, 8, 8)
        full = full_condition(2)
        y = model(x, T, full)
        for name in full.streams:
            without = {key: each for key, each in full.streams.items() if key != name}
            other = Condition(without, full.spatial, full.vectors)
            assert (model(x, T, other) - y).abs().amax() > 1e-3, name
        for name, part in full.spatial.items():
            other = Condition(full.streams, {**full.spatial, name: part + 1}, full.vectors)
            assert (model(x, T, other) - y).abs().amax() > 1e-3, name
        for name in full.vectors:
            without_vector = {key: each for key, each in full.vectors.items() if key != name}
            other = Condition(full.streams, full.spatial, without_vector)
            assert (model(x, T, other) - y).abs().amax() > 1e-3, name

    def test_a_native_vector_is_added_without_projection(self, small_transformer: Any) -> None:
        model = small_transformer(**FULL)
        assert list(model.vector_embeds) == ["size"]
        label = full_condition(2).vectors["label"]
        spatial = full_condition(2).spatial
        x, condition = draw(2, 4, 8, 8), Condition({}, spatial, {"label": label})
        emb = model.prepare_call(x, T, condition, None).emb
        expected = torch.nn.functional.silu(label + model.t_embedder(self.sinusoids()))
        torch.testing.assert_close(emb, expected)
        without_label = model.prepare_call(x, T, Condition({}, spatial), None)
        assert not torch.equal(emb, without_label.emb)

    @staticmethod
    def sinusoids() -> Tensor:
        angles = T[:, None] * 10000 ** (-torch.arange(128) / 128)
        return torch.cat([angles.cos(), angles.sin()], dim=1)

    def test_spatial_parts_are_concatenated_in_the_order_of_the_config(
        self, small_transformer: Any
    ) -> None:
        full, x = full_condition(1), draw(1, 4, 8, 8)
        a, b = full.spatial["depth"], full.spatial["mask"]
        plain = small_transformer(in_channels=7)
        model = small_transformer(spatial={"b": 1, "a": 2})
        expected = plain(torch.cat([x, b, a], dim=1), T[:1], Condition())
        torch.testing.assert_close(
            model(x, T[:1], Condition({}, {"a": a, "b": b})), expected, rtol=1e-4, atol=1e-5
        )

    def test_a_row_does_not_depend_on_its_batch(self, small_transformer: Any) -> None:
        """Guidance batches a condition and its null, which lacks streams and has other masks."""
        model, x = small_transformer(**FULL), draw(2, 4, 8, 8)
        full = full_condition(2)
        null = Condition({}, full.spatial)
        both = model(x.repeat(2, 1, 1, 1), T.repeat(2), concat([full, null]))
        torch.testing.assert_close(both[:2], model(x, T, full), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(both[2:], model(x, T, null), rtol=1e-4, atol=1e-5)

    def test_a_region_limits_where_a_stream_acts(self, small_transformer: Any) -> None:
        model, x = small_transformer(**STREAM, depth=1), draw(1, 4, 8, 12)
        region = torch.zeros(1, 1, 8, 12)
        region[..., :6] = 1
        text = Stream(draw(1, 3, 8), region=region)
        moved = model(x, T[:1], Condition({"text": text})) - model(x, T[:1], Condition())
        assert moved[..., 6:].abs().max() == 0
        assert moved[..., :6].abs().amin() > 0

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            (Condition(), "spatial part 'mask' is missing"),
            (Condition({"txt": Stream(torch.zeros(2, 3, 8))}), "takes no stream 'txt'"),
            (Condition({}, {}, {"label": torch.zeros(2, 3)}), "'label' has width 3"),
        ],
    )
    def test_an_invalid_condition_is_explained(
        self, small_transformer: Any, condition: Condition, message: str
    ) -> None:
        with pytest.raises(ConditionError, match=message):
            small_transformer(**FULL)(draw(2, 4, 8, 8), T, condition)


@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 4, 7, 8), (2, 4, 8, 7), (4, 8, 8)])
def test_an_x_of_the_wrong_shape_is_refused(small_transformer: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"takes \(B, 4, h, w\), h and w multiples of 2"):
        small_transformer()(torch.zeros(shape), torch.zeros(2), Condition())


class TestControl:
    def test_a_residual_is_added_to_the_output_of_its_block(self, small_transformer: Any) -> None:
        model, x = small_transformer(), draw(1, 4, 8, 12)
        features: list[Tensor] = []
        model.blocks[0].register_forward_hook(lambda module, args, output: features.append(output))
        model.blocks[1].register_forward_hook(lambda module, args, output: features.append(args[0]))
        residual = draw(1, 16, 4, 6, seed=3)
        plain = model(x, T[:1], Condition())
        assert torch.equal(features[0], features[1])
        moved = model(x, T[:1], Condition(), Control({"blocks.0": residual}))
        added = (features[3] - features[2]).view(4, 6, 16).permute(2, 0, 1)
        torch.testing.assert_close(added, residual[0], rtol=1e-4, atol=1e-5)
        assert (moved - plain).abs().amax() > 1e-3
        assert torch.equal(model(x, T[:1], Condition()), plain)

    def test_a_residual_is_added_after_the_last_block(self, small_transformer: Any) -> None:
        model, x = small_transformer(), draw(1, 4, 8, 8)
        control = Control({"blocks.1": draw(1, 16, 4, 4)})
        moved = model(x, T[:1], Condition(), control) - model(x, T[:1], Condition())
        assert moved.abs().amax() > 1e-3

    def test_perturbed_attention_mixes_no_positions(self, small_transformer: Any) -> None:
        """With every self-attention passing its values, no patch hears of another."""
        model, x = small_transformer(), draw(1, 4, 8, 8)
        control = Control(perturbed_attention=frozenset({"blocks.0.attn", "blocks.1.attn"}))
        changed = x.clone()
        changed[..., :2, :2] += 1
        y, other = (model(each, T[:1], Condition(), control) for each in (x, changed))
        torch.testing.assert_close(y[..., 2:, :], other[..., 2:, :], rtol=1e-5, atol=1e-5)
        one = Control(perturbed_attention=frozenset({"blocks.0.attn"}))
        for less in (None, one):
            assert (model(x, T[:1], Condition(), less) - y).abs().amax() > 1e-3

    def test_perturbed_attention_of_one_patch_changes_nothing(self, small_transformer: Any) -> None:
        model, x = small_transformer(), draw(1, 4, 2, 2)
        control = Control(perturbed_attention=frozenset({"blocks.0.attn"}))
        torch.testing.assert_close(
            model(x, T[:1], Condition(), control), model(x, T[:1], Condition())
        )

    @pytest.mark.parametrize(
        ("control", "message"),
        [
            (Control({"block.0": torch.zeros(1)}), "no block 'block.0'. Did you mean 'blocks.0'"),
            (Control({"blocks.2": torch.zeros(1)}), "no block 'blocks.2'"),
            (
                Control({"blocks.0": torch.zeros(1, 16, 8, 8)}),
                r"'blocks.0' has .*\(1, 16, 4, 4\)",
            ),
            (
                Control(perturbed_attention=frozenset({"blocks.0"})),
                "no self-attention 'blocks.0'. Did you mean 'blocks.0.attn'",
            ),
        ],
    )
    def test_an_unknown_name_is_refused(
        self, small_transformer: Any, control: Control, message: str
    ) -> None:
        with pytest.raises(ConditionError, match=message):
            small_transformer()(draw(1, 4, 8, 8), T[:1], Condition(), control)


@pytest.mark.parametrize("options", [{}, STREAM])
def test_it_trains_with_autocast_and_in_bfloat16(small_transformer: Any, options: Any) -> None:
    model, x = small_transformer(**options), draw(2, 4, 8, 8)
    mask = torch.tensor([[True, False], [False, False]])
    condition = Condition({"text": Stream(draw(2, 2, 8), mask)} if options else {})
    exact = model(x, T, condition)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(x, T, condition)
    assert mixed.dtype == torch.float32
    mixed.sum().backward()
    assert (mixed - exact).norm() / exact.norm() < 0.05
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    half = model.bfloat16()(x.bfloat16(), T, condition.to("cpu", torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert (half - exact).norm() / exact.norm() < 0.05


def test_gradients_reach_every_parameter(small_transformer: Any) -> None:
    model: nn.Module = small_transformer(**FULL)
    model(draw(2, 4, 8, 8), T, full_condition(2)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
