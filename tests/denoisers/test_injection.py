import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.condition import Condition, Stream
from latelier.denoisers.injection import Context, LayerContext
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.unet import UNet

T = torch.tensor([30.0, 600.0])

Model = UNet | Transformer

CROSS_ATTENTION = re.compile(r"\.(attn2|cross_attn)\.")


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["unet", "transformer"])
def two_streams(request: Any) -> Model:
    """A denoiser with a native stream of width 8 and a named one of width 3."""
    model = request.getfixturevalue(f"small_{request.param}")(
        context_dim=8,
        streams={"text": {"width": 8, "injection": "native"}, "palette": {"width": 3}},
    )
    assert isinstance(model, Model)
    return model


def text_stream(**options: Any) -> Stream:
    return replace(Stream(noise(2, 3, 8, seed=1)), **options)


def palette_stream(**options: Any) -> Stream:
    return replace(Stream(noise(2, 2, 3, seed=2)), **options)


def run(model: Model, **streams: Stream) -> Tensor:
    return model(noise(2, 4, 8, 8), T, Condition(streams))


def masks(value: bool, n: int) -> Tensor:
    return torch.full((2, n), value)


ABSENT = {
    "masked": {"mask": masks(False, 2)},
    "scale 0": {"scale": 0.0},
    "scales 0": {"scale": torch.zeros(2)},
    "scale below 0": {"scale": -1.0},
    "scale next to 0": {"scale": 1e-9},
    "region 0": {"region": torch.zeros(2, 1, 16, 16)},
}


@pytest.mark.parametrize("options", ABSENT.values(), ids=ABSENT.keys())
class TestAbsence:
    def test_an_absent_stream_has_no_effect_next_to_another(
        self, two_streams: Model, options: dict[str, Any]
    ) -> None:
        alone = run(two_streams, text=text_stream())
        both = run(two_streams, text=text_stream(), palette=palette_stream(**options))
        torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-5)
        other = run(
            two_streams,
            text=text_stream(),
            palette=palette_stream(**options, tokens=noise(2, 2, 3, seed=9) * 5),
        )
        assert torch.equal(both, other)

    def test_an_absent_only_stream_has_no_effect(
        self, two_streams: Model, options: dict[str, Any]
    ) -> None:
        assert torch.equal(run(two_streams, palette=palette_stream(**options)), run(two_streams))

    @pytest.mark.parametrize("with_text", [True, False])
    def test_gradients_of_an_absent_stream_are_zero(
        self, two_streams: Model, options: dict[str, Any], with_text: bool
    ) -> None:
        tokens = noise(2, 2, 3).requires_grad_()
        streams = {"text": text_stream()} if with_text else {}
        run(
            two_streams, **streams, palette=palette_stream(**options, tokens=tokens)
        ).sum().backward()
        assert tokens.grad is None or tokens.grad.abs().max() == 0
        for name, parameter in two_streams.named_parameters():
            grad = parameter.grad
            assert grad is None or grad.isfinite().all(), name
            if "stream_" in name or (CROSS_ATTENTION.search(name) and not with_text):
                assert grad is None or grad.abs().max() == 0, name


def test_a_stream_without_tokens_is_absent(two_streams: Model) -> None:
    nothing = Stream(torch.zeros(2, 0, 3))
    assert torch.equal(run(two_streams, palette=nothing), run(two_streams))
    assert torch.equal(
        run(two_streams, text=text_stream(), palette=nothing), run(two_streams, text=text_stream())
    )


def test_rows_may_have_different_masks(two_streams: Model) -> None:
    mask = torch.tensor([[True, True, False], [False, False, False]])
    y = run(two_streams, text=text_stream(mask=mask))
    torch.testing.assert_close(
        y[0],
        run(two_streams, text=Stream(text_stream().tokens[:, :2]))[0],
        rtol=1e-4,
        atol=1e-5,
    )
    torch.testing.assert_close(y[1], run(two_streams)[1], rtol=1e-4, atol=1e-5)


def test_the_output_bias_does_not_leak_from_an_absent_context(two_streams: Model) -> None:
    before = run(two_streams, text=text_stream(mask=masks(False, 3)))
    with torch.no_grad():
        for name, parameter in two_streams.named_parameters():
            if CROSS_ATTENTION.search(name) and name.endswith("to_out.0.bias"):
                parameter.fill_(1000)
    assert torch.equal(run(two_streams, text=text_stream(mask=masks(False, 3))), before)
    assert not torch.equal(run(two_streams, text=text_stream()), before)


def test_masked_tokens_change_nothing(two_streams: Model) -> None:
    mask = torch.tensor([[True, True, False], [True, False, False]])
    tokens = text_stream().tokens
    changed = torch.where(mask[..., None], tokens, 7 * noise(2, 3, 8, seed=5))
    assert torch.equal(
        run(two_streams, text=Stream(tokens, mask)), run(two_streams, text=Stream(changed, mask))
    )


def test_masked_tokens_get_no_gradient(two_streams: Model) -> None:
    mask = torch.tensor([[True, True, False], [True, False, False]])
    tokens = text_stream().tokens.clone().requires_grad_()
    run(two_streams, text=Stream(tokens, mask)).square().sum().backward()
    assert tokens.grad is not None
    assert tokens.grad[~mask].abs().max() == 0
    assert tokens.grad[mask].abs().min() > 0


def test_a_mask_of_ones_equals_no_mask(two_streams: Model) -> None:
    torch.testing.assert_close(
        run(two_streams, text=text_stream(mask=masks(True, 3))),
        run(two_streams, text=text_stream()),
        rtol=1e-4,
        atol=1e-5,
    )


def test_every_stream_changes_the_prediction(two_streams: Model) -> None:
    text = run(two_streams, text=text_stream())
    both = run(two_streams, text=text_stream(), palette=palette_stream())
    assert (both - text).abs().amax() > 1e-3
    assert (text - run(two_streams)).abs().amax() > 1e-3


def test_a_named_stream_is_projected_and_gets_its_modality_embedding(two_streams: Model) -> None:
    palette = palette_stream()
    projected = two_streams.stream_projections["palette"](palette.tokens)
    tokens = projected + two_streams.stream_embeddings["palette"]
    assert torch.equal(run(two_streams, palette=palette), run(two_streams, text=Stream(tokens)))
    keys = set(two_streams.state_dict())
    assert {
        "stream_projections.palette.weight",
        "stream_projections.palette.bias",
        "stream_embeddings.palette",
    } <= keys


def test_native_streams_are_concatenated_in_declared_order(small_unet: Any) -> None:
    slot = {"width": 8, "injection": "native"}
    model = small_unet(context_dim=8, streams={"b": slot, "a": slot})
    a, b = Stream(noise(2, 3, 8, seed=1)), Stream(noise(2, 2, 8, seed=2))
    contexts: list[Tensor] = []
    layer = model.get_submodule("middle_block.1.transformer_blocks.0.attn2.to_k")
    layer.register_forward_hook(lambda module, args, output: contexts.append(args[0]))
    run(model, a=a, b=b)
    assert torch.equal(contexts[0], torch.cat([b.tokens, a.tokens], dim=1))


class TestStrength:
    """Scale and region, on a context alone and on the model."""

    def layer_context(self, *streams: Stream, size: tuple[int, int] = (2, 2)) -> LayerContext:
        return Context.of(*streams).for_layer(size)

    def test_without_masks_regions_or_scales_there_is_no_bias(self) -> None:
        context = self.layer_context(text_stream(), text_stream())
        assert context.bias is None
        assert context.gate is None
        assert context.tokens.shape == (2, 6, 8)

    def test_a_scale_multiplies_the_attention_weights(self) -> None:
        context = self.layer_context(text_stream(), text_stream(scale=0.25))
        assert context.bias is not None
        weights = context.bias.softmax(dim=-1)[0, 0, 0]
        torch.testing.assert_close(weights, torch.tensor([1, 1, 1, 0.25, 0.25, 0.25]) / 3.75)
        assert context.gate is not None
        assert context.gate.flatten().tolist() == [1, 1]

    def test_a_scale_may_differ_by_row(self) -> None:
        scale = torch.tensor([1.0, 0.5])
        context = self.layer_context(text_stream(), text_stream(scale=scale))
        assert context.bias is not None
        torch.testing.assert_close(context.bias[:, 0, 0, 3].exp(), scale)

    def test_a_single_stream_fades_out_with_its_scale(self, two_streams: Model) -> None:
        context = self.layer_context(text_stream(scale=0.3))
        assert context.gate is not None
        torch.testing.assert_close(context.gate.flatten(), torch.tensor([0.3, 0.3]))
        absent = run(two_streams)
        distances = [
            (run(two_streams, text=text_stream(scale=scale)) - absent).norm().item()
            for scale in (1.0, 0.5, 0.1, 0.001, 0.0)
        ]
        assert distances == sorted(distances, reverse=True)
        assert distances[3] < 0.01 * distances[0]
        assert distances[4] == 0

    def test_a_region_is_averaged_to_the_size_of_the_layer(self) -> None:
        region = torch.zeros(2, 1, 4, 8)
        region[0, :, :2, :4] = 1  # the upper left quarter
        region[1, :, :, :2] = 1  # half of the left half
        context = self.layer_context(text_stream(region=region))
        assert context.gate is not None
        assert context.gate[..., 0].tolist() == [[1, 0, 0, 0], [0.5, 0, 0.5, 0]]

    def test_two_regions_divide_the_picture(self, two_streams: Model) -> None:
        """Each query of a layer attends to the stream in whose region it is, and to no other."""
        left = torch.zeros(2, 1, 4, 4)
        left[..., :2] = 1
        context = self.layer_context(
            text_stream(region=left), text_stream(region=1 - left), size=(1, 2)
        )
        assert context.bias is not None
        weights = context.bias.softmax(dim=-1)[0, 0]
        torch.testing.assert_close(
            weights, torch.tensor([[1.0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]]) / 3
        )

    def test_a_region_limits_where_a_stream_acts(self, small_unet: Any) -> None:
        """With cross-attention at the first level only, the rest of a layer's output stays."""
        model = small_unet(context_dim=8, streams={"text": {"width": 8, "injection": "native"}})
        block = model.input_blocks[1][1].transformer_blocks[0]
        region = torch.zeros(2, 1, 8, 8)
        region[..., :4] = 1
        entering: list[Tensor] = []
        block.norm2.register_forward_hook(lambda module, args, output: entering.append(args[0]))
        block.norm3.register_forward_hook(lambda module, args, output: entering.append(args[0]))
        run(model, text=text_stream(region=region))
        added = (entering[1] - entering[0]).view(2, 8, 8, 16)
        assert added[:, :, 4:].abs().max() == 0
        assert added[:, :, :4].abs().amin() > 0

    def test_a_region_of_ones_equals_no_region(self, two_streams: Model) -> None:
        torch.testing.assert_close(
            run(two_streams, text=text_stream(region=torch.ones(2, 1, 5, 3))),
            run(two_streams, text=text_stream()),
            rtol=1e-4,
            atol=1e-5,
        )

    def test_biases_are_computed_once_for_each_size(self) -> None:
        context = Context.of(text_stream(region=torch.ones(2, 1, 8, 8)))
        assert context.for_layer((4, 4)) is context.for_layer((4, 4))
        assert context.for_layer((2, 2)) is not context.for_layer((4, 4))
        masked = Context.of(text_stream(mask=masks(True, 3)))
        assert masked.for_layer((4, 4)) is masked.for_layer((2, 2))
