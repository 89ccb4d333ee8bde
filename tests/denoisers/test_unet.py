from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, ConditionPart, Stream, concat, where
from latelier.contracts.errors import ConditionError
from latelier.denoisers.configs import UNetConfig
from latelier.denoisers.forward_context import ForwardContext
from latelier.denoisers.unet import UNet, UNetEncoder

STREAM = {"context_dim": 8, "streams": {"text": {"width": 8, "injection": "native"}}}


SMALL: dict[str, Any] = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 16,
    "channel_mult": (1, 2),
    "num_res_blocks": 1,
    "attention_resolutions": (1, 2),
    "num_heads": 2,
    "num_groups": 4,
}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def rows(condition: Condition, index: slice) -> Condition:
    return Condition(
        {
            name: replace(
                stream,
                tokens=stream.tokens[index],
                mask=None if stream.mask is None else stream.mask[index],
            )
            for name, stream in condition.streams.items()
        },
        {name: part[index] for name, part in condition.spatial.items()},
        {name: vector[index] for name, vector in condition.vectors.items()},
    )


def test_a_new_model_predicts_zero() -> None:
    model = UNet(UNetConfig.model_validate({**SMALL, **STREAM}))
    text = Condition({"text": Stream(draw(2, 3, 8))})
    assert model(draw(2, 4, 8, 8), torch.tensor([1.0, 900.0]), text).abs().max() == 0


@pytest.mark.parametrize("size", [(8, 12), (7, 13), (1, 3)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        STREAM,
        {**STREAM, "use_linear_projections": True, "transformer_depth": 2},
        {"use_scale_shift_norm": True, "resblock_updown": True},
        {"conv_resample": False, "channel_mult": (1, 2, 2), "num_res_blocks": 2},
        {"channel_mult": (2, 1), "out_channels": 6},
        {"channel_mult": (1,), "attention_resolutions": ()},
    ],
)
def test_the_prediction_has_the_size_of_x_and_depends_on_every_input(
    small_unet: Any, options: dict[str, Any], size: tuple[int, int]
) -> None:
    model = small_unet(**options)
    x, t = draw(2, 4, *size), torch.tensor([10.0, 700.0])
    y = model(x, t, Condition())
    assert y.shape == (2, model.config.out_channels, *size)
    assert (model(x, t + 50, Condition()) - y).abs().amax() > 1e-4
    assert (model(x + 0.1, t, Condition()) - y).abs().amax() > 1e-3


def full_condition(batch: int) -> Condition:
    mask = torch.zeros(batch, 5, dtype=torch.bool)
    for row in range(batch):
        mask[row, : row % 5 + 1] = True
    return Condition(
        {"text": Stream(draw(batch, 5, 8), mask), "palette": Stream(draw(batch, 2, 3))},
        {"mask": draw(batch, 1, 8, 8)},
        {"size": draw(batch, 6)},
    )


FULL: dict[str, Any] = {
    "context_dim": 8,
    "streams": {"text": {"width": 8, "injection": "native"}, "palette": {"width": 3}},
    "spatial": {"mask": 1},
    "vectors": {"size": 6},
}


def test_a_row_does_not_depend_on_its_batch(small_unet: Any) -> None:
    model, x, t = small_unet(**FULL), draw(4, 4, 8, 8), draw(4).abs() * 500
    condition = full_condition(4)
    together = model(x, t, condition)
    for row in range(4):
        one = slice(row, row + 1)
        alone = model(x[one], t[one], rows(condition, one))
        error = (alone - together[one]).norm() / together[one].norm()
        assert error < 1e-5


def test_stacked_conditions_equal_separate_calls(small_unet: Any) -> None:
    """Guidance batches a condition and its null, which lacks streams and has other masks."""
    model, x, t = small_unet(**FULL), draw(2, 4, 8, 8), torch.tensor([3.0, 500.0])
    full = full_condition(2)
    null = Condition({}, full.spatial)
    both = model(x.repeat(2, 1, 1, 1), t.repeat(2), concat([full, null]))
    torch.testing.assert_close(both[:2], model(x, t, full), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(both[2:], model(x, t, null), rtol=1e-4, atol=1e-5)


def test_the_encoder_is_the_way_down(small_unet: Any) -> None:
    """A copy of it reads the hint of a ControlNet."""
    model = small_unet()
    encoder = UNetEncoder(model.config)
    kept, left = encoder.load_state_dict(model.state_dict(), strict=False)
    assert not kept
    assert {name.split(".")[0] for name in left} == {"output_blocks", "out"}
    assert encoder.skip_channels == [16, 16, 16, 32]


@pytest.mark.parametrize("joint", [(), ("size", "crop")])
def test_every_vector_changes_the_prediction(small_unet: Any, joint: tuple[str, ...]) -> None:
    model = small_unet(vectors={"size": 6, "crop": 2}, joint_vectors=joint)
    x, t = draw(1, 4, 8, 8), torch.tensor([40.0])
    size, crop = {"size": draw(1, 6)}, {"crop": draw(1, 2)}
    none = model(x, t, Condition())
    one = model(x, t, Condition({}, {}, size))
    both = model(x, t, Condition({}, {}, {**size, **crop}))
    assert (one - none).abs().amax() > 1e-3
    assert (both - one).abs().amax() > 1e-3
    swapped = model(x, t, Condition({}, {}, {**crop, **size}))
    torch.testing.assert_close(both, swapped, rtol=1e-4, atol=1e-5)


def test_joint_vectors_pass_one_network_in_their_order(small_unet: Any) -> None:
    model = small_unet(vectors={"size": 6, "crop": 2}, joint_vectors=("crop", "size"))
    assert not model.vector_embeds
    x, t, size, crop = draw(1, 4, 8, 8), torch.tensor([40.0]), draw(1, 6), draw(1, 2)
    added = model.label_emb(torch.cat([crop, size], dim=1))
    emb = model.prepare_call(x, t, Condition({}, {}, {"size": size, "crop": crop}), None).emb
    expected = silu(model.embed_timesteps(t, x.dtype) + added)
    torch.testing.assert_close(emb, expected)


@pytest.mark.parametrize("present", [[], ["size"], ["crop"]])
def test_an_absent_joint_vector_equals_zeros(small_unet: Any, present: list[str]) -> None:
    model = small_unet(vectors={"size": 6, "crop": 2}, joint_vectors=("size", "crop"))
    x, t = draw(1, 4, 8, 8), torch.tensor([40.0])
    vectors = {"size": draw(1, 6), "crop": draw(1, 2)}
    some = {name: vectors[name] for name in present}
    zeros = {name: torch.zeros_like(vector) for name, vector in vectors.items()}
    predictions = [model(x, t, Condition({}, {}, each)) for each in (some, {**zeros, **some})]
    assert torch.equal(*predictions)


def test_group_norms_are_evaluated_in_32_bits() -> None:
    norm = nn.GroupNorm(2, 4).requires_grad_(False)
    x = (50 + draw(2, 4, 32, 32)).bfloat16()
    expected = norm(x.float())
    torch.testing.assert_close(norm(x).float(), expected, rtol=2**-8, atol=2**-8)
    torch.testing.assert_close(norm.bfloat16()(x).float(), expected, rtol=2**-8, atol=2**-8)


def test_spatial_parts_are_concatenated_in_the_order_of_the_config(small_unet: Any) -> None:
    a, b = draw(1, 2, 8, 8, seed=1), draw(1, 1, 8, 8, seed=2)
    x, t = draw(1, 4, 8, 8), torch.tensor([40.0])
    model = small_unet(spatial={"b": 1, "a": 2})
    plain = small_unet(in_channels=7)
    expected = plain(torch.cat([x, b, a], dim=1), t, Condition())
    torch.testing.assert_close(model(x, t, Condition({}, {"a": a, "b": b})), expected)


@pytest.mark.parametrize("options", [{}, STREAM])
def test_it_trains_with_autocast_and_in_bfloat16(small_unet: Any, options: Any) -> None:
    model, x, t = small_unet(**options), draw(2, 4, 8, 8), torch.tensor([10.0, 700.0])
    mask = torch.tensor([[True, False], [False, False]])
    condition = Condition({"text": Stream(draw(2, 2, 8), mask)} if options else {})
    exact = model(x, t, condition)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(x, t, condition)
    assert mixed.dtype == torch.float32
    mixed.sum().backward()
    assert (mixed - exact).norm() / exact.norm() < 0.05
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    half = model.bfloat16()(x.bfloat16(), t, condition.to("cpu", torch.bfloat16))
    assert half.dtype == torch.bfloat16
    assert (half - exact).norm() / exact.norm() < 0.05


def test_threads_can_share_a_model(small_unet: Any) -> None:
    model, x, t = small_unet(**FULL), draw(2, 4, 8, 8), torch.tensor([3.0, 500.0])
    condition = full_condition(2)
    controls = [
        None,
        Control(perturbed_attention=frozenset({"middle_block.1"})),
        Control(residuals={"middle_block": draw(2, 32, 4, 4)}),
    ]

    def run(index: int) -> Tensor:
        with torch.inference_mode():
            result: Tensor = model(x + index, t, condition, controls[index % 3])
        return result

    alone = [run(index) for index in range(24)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(run, range(24)))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_call_leaves_no_state(small_unet: Any) -> None:
    model, x, t = small_unet(**FULL), draw(2, 4, 8, 8), torch.tensor([3.0, 500.0])
    condition = full_condition(2)
    before = model(x, t, condition)
    control = Control({"middle_block": draw(2, 32, 4, 4)}, frozenset({"middle_block.1"}))
    assert not torch.equal(model(x, t, condition, control), before)
    assert torch.equal(model(x, t, condition), before)


class TestResiduals:
    def test_a_residual_is_added_to_the_output_of_its_block(self, small_unet: Any) -> None:
        model, x, t = small_unet(), draw(1, 4, 8, 8), torch.tensor([30.0])
        outputs: dict[str, Tensor] = {}
        hook = model.middle_block.register_forward_hook(
            lambda module, args, output: outputs.update(middle=output)
        )
        model(x, t, Condition())
        hook.remove()
        # a residual that cancels the block's output leaves zeros and skips to the decoder
        control = Control({"middle_block": -outputs["middle"]})
        inputs: list[Tensor] = []
        hook = model.output_blocks[0][0].register_forward_hook(
            lambda module, args, output: inputs.append(args[0])
        )
        model(x, t, Condition(), control)
        hook.remove()
        assert inputs[0][:, :32].abs().max() == 0
        assert inputs[0][:, 32:].abs().max() > 0

    @pytest.mark.parametrize(
        ("name", "shape"),
        [
            ("input_blocks.0", (1, 16, 8, 8)),
            ("input_blocks.3", (1, 32, 4, 4)),
            ("skips.0", (1, 16, 8, 8)),
            ("middle_block", (1, 32, 4, 4)),
            ("output_blocks.3", (1, 16, 8, 8)),
        ],
    )
    def test_every_block_accepts_one(
        self, small_unet: Any, name: str, shape: tuple[int, ...]
    ) -> None:
        model, x, t = small_unet(), draw(1, 4, 8, 8), torch.tensor([30.0])
        plain = model(x, t, Condition())
        moved = model(x, t, Condition(), Control({name: draw(*shape)}))
        assert (moved - plain).abs().amax() > 1e-3
        still = model(x, t, Condition(), Control({name: torch.zeros(shape)}))
        assert torch.equal(still, plain)

    def test_a_skip_does_not_change_the_encoder(self, small_unet: Any) -> None:
        model, x, t = small_unet(), draw(1, 4, 8, 8), torch.tensor([30.0])
        middles: list[Tensor] = []
        hook = model.middle_block.register_forward_hook(
            lambda module, args, output: middles.append(output)
        )
        residual = draw(1, 16, 8, 8)
        for names in ((), ("skips.0",), ("input_blocks.0",)):
            model(x, t, Condition(), Control(dict.fromkeys(names, residual)))
        hook.remove()
        assert torch.equal(middles[0], middles[1])
        assert not torch.equal(middles[0], middles[2])

    def test_a_residual_of_the_wrong_shape_is_refused(self, small_unet: Any) -> None:
        control = Control({"middle_block": torch.zeros(1, 32, 8, 8)})
        with pytest.raises(ConditionError, match=r"'middle_block' has .*\(1, 32, 4, 4\)"):
            small_unet()(draw(1, 4, 8, 8), torch.zeros(1), Condition(), control)


class TestPerturbedAttention:
    @pytest.mark.parametrize("options", [{}, STREAM])
    def test_perturbed_attention_of_one_position_changes_nothing(
        self, small_unet: Any, options: Any
    ) -> None:
        """At 2 x 2 latents the middle block has one place, which attends to itself anyway."""
        model, x, t = small_unet(**options), draw(1, 4, 2, 2), torch.tensor([30.0])
        control = Control(perturbed_attention=frozenset({"middle_block.1"}))
        torch.testing.assert_close(
            model(x, t, Condition(), control), model(x, t, Condition()), rtol=1e-4, atol=1e-5
        )

    @pytest.mark.parametrize("options", [{}, STREAM])
    def test_perturbed_attention_mixes_no_positions(self, small_unet: Any, options: Any) -> None:
        """Two places change places, which the group statistics do not see; the others stay."""
        model = small_unet(**options)
        block = model.middle_block[1]
        ctx = self.context_with({"middle_block.1"})
        x = draw(1, 32, 4, 4)
        swapped = x.clone()
        swapped[..., 0, 0], swapped[..., 3, 3] = x[..., 3, 3], x[..., 0, 0]
        passed, after = block(x, ctx), block(swapped, ctx)
        torch.testing.assert_close(passed[..., 1:3, :], after[..., 1:3, :], rtol=1e-4, atol=1e-5)
        assert (block(x, self.context_with(set())) - passed).abs().amax() > 1e-3

    def test_layers_are_named_as_modules(self, small_unet: Any) -> None:
        model = small_unet(**STREAM, transformer_depth=2)
        x, t = draw(1, 4, 8, 8), torch.tensor([30.0])
        attentions = [name for name, _ in model.named_modules() if name.endswith(".attn1")]
        assert len(attentions) == 14
        plain = model(x, t, Condition())
        outputs = [
            model(x, t, Condition(), Control(perturbed_attention=frozenset({name})))
            for name in attentions
        ]
        assert all((output - plain).abs().amax() > 1e-6 for output in outputs)
        both = frozenset(name for name in attentions if name.startswith("middle_block.1."))
        assert torch.equal(
            model(x, t, Condition(), Control(perturbed_attention=both)),
            model(x, t, Condition(), Control(perturbed_attention=frozenset({"middle_block.1"}))),
        )

    @staticmethod
    def context_with(names: set[str]) -> ForwardContext:
        control = Control(perturbed_attention=frozenset(names))
        return ForwardContext(torch.zeros(1), torch.zeros(1, 64), control=control)


def test_dropping_a_condition_in_training_does_not_affect_other_rows(
    small_unet: Any,
) -> None:
    model, x, t = small_unet(**STREAM), draw(2, 4, 8, 8), torch.tensor([3.0, 500.0])
    full = ConditionPart(Stream(draw(2, 3, 8)))
    null = ConditionPart(Stream(draw(2, 1, 8, seed=5)))
    keep = torch.tensor([True, False])
    mixed = model(x, t, Condition.of({"text": where(keep, full, null)}))
    with_text = model(x, t, Condition.of({"text": full}))
    with_null = model(x, t, Condition.of({"text": null}))
    torch.testing.assert_close(mixed[0], with_text[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixed[1], with_null[1], rtol=1e-4, atol=1e-5)
