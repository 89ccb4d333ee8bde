from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from latelier.contracts.components import Control, ScaledAdapter
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.errors import CompatibilityError, ConditionError
from latelier.denoisers.adapter import AttentionAdapter, create_adapter
from latelier.denoisers.configs import AttentionAdapterConfig, ProjectionConfig
from latelier.denoisers.transformer import Transformer
from latelier.denoisers.unet import UNet

Model = UNet | Transformer

T = torch.tensor([30.0, 600.0])
TEXT = {"context_dim": 8, "streams": {"text": {"width": 8, "injection": "native"}}}
PROJECTION = ProjectionConfig(width=8, tokens=2)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["unet", "transformer"])
def model(request: Any) -> Model:
    """A denoiser with a native stream of width 8."""
    built = request.getfixturevalue(f"small_{request.param}")(**TEXT)
    assert isinstance(built, Model)
    return built


@pytest.fixture
def make(filled: Any) -> Any:
    """Creates a filled adapter for a model, of a stream of width 3."""

    def create(model: nn.Module, seed: int = 5, width: int = 3, **options: Any) -> AttentionAdapter:
        options = {"projection": PROJECTION, **options}
        adapter = filled(create_adapter(model, width, **options), seed)
        assert isinstance(adapter, AttentionAdapter)
        return adapter

    return create


def text() -> Stream:
    return Stream(noise(2, 3, 8, seed=1))


def palette(**options: Any) -> Stream:
    return replace(Stream(noise(2, 2, 3, seed=2)), **options)


def control(
    adapter: AttentionAdapter, scale: float | Tensor = 1.0, name: str = "palette"
) -> Control:
    return Control(adapters={name: ScaledAdapter(adapter, scale)})


def run(model: Model, by: Control | None = None, **streams: Stream) -> Tensor:
    return model(noise(2, 4, 8, 8), T, Condition(streams), by)


def test_a_new_adapter_changes_no_output(model: Model) -> None:
    adapter = create_adapter(model, 3, PROJECTION)
    alone = run(model, text=text())
    assert torch.equal(run(model, control(adapter), text=text(), palette=palette()), alone)


def test_a_new_adapter_learns_from_its_first_step(model: Model) -> None:
    adapter = create_adapter(model, 3, PROJECTION)
    run(model, control(adapter), text=text(), palette=palette()).square().sum().backward()
    values = {n: p.grad for n, p in adapter.named_parameters() if n.endswith("to_v.weight")}
    assert len(values) == len(adapter.config.layers)
    assert all(grad is not None and grad.any() for grad in values.values())


def test_its_keys_start_as_copies_of_the_denoisers(model: Model) -> None:
    name = next(iter(model.cross_attentions))
    own = model.get_submodule(name).to_k.weight
    same = create_adapter(model, 3, PROJECTION).layer(name).to_k.weight
    assert torch.equal(same, own)
    assert same.data_ptr() != own.data_ptr()
    assert create_adapter(model, 3).layer(name).to_k.weight.shape[1] == 3


def test_it_covers_every_cross_attention(model: Model) -> None:
    found = {
        name: module.to_q.in_features
        for name, module in model.named_modules()
        if name.endswith(("attn2", "cross_attn"))
    }
    assert dict(model.cross_attentions) == found
    assert create_adapter(model, 3).config.layers == found


def test_a_trained_adapter_acts_without_changing_the_model(model: Model, make: Any) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    alone = run(model, text=text())
    adapted = run(model, control(make(model)), text=text(), palette=palette())
    assert (adapted - alone).abs().max() > 1e-3
    assert torch.equal(run(model, text=text()), alone)
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_each_attention_equals_the_equation_of_the_paper(small_unet: Any, make: Any) -> None:
    """Equation 5, worked out here for one layer from what enters and leaves it."""
    model = small_unet(**TEXT, channel_mult=(1,), attention_resolutions=())
    adapter = make(model)
    (name,) = model.cross_attentions
    block = model.get_submodule(name.removesuffix(".attn2"))
    features: dict[str, Tensor] = {}
    block.norm2.register_forward_hook(lambda _m, args, out: features.update(before=args[0], q=out))
    block.norm3.register_forward_hook(lambda _m, args, _out: features.update(after=args[0]))
    run(model, control(adapter, 0.7), text=text(), palette=palette())

    layer, own = adapter.layer(name), block.attn2

    def attend(k: Tensor, v: Tensor) -> Tensor:
        parts = (t.unflatten(2, (2, -1)).transpose(1, 2) for t in (own.to_q(features["q"]), k, v))
        return scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)

    tokens = adapter.projection.norm(adapter.projection.proj(palette().tokens).view(2, 4, 8))
    values = attend(own.to_k(text().tokens), own.to_v(text().tokens))
    values = values + 0.7 * attend(layer.to_k(tokens), layer.to_v(tokens))
    torch.testing.assert_close(features["after"], features["before"] + own.to_out(values))


OFF: Mapping[str, tuple[dict[str, Any], float | Tensor]] = {
    "scale 0": ({}, 0),
    "scales 0": ({}, torch.zeros(2)),
    "stream of scale 0": ({"scale": 0.0}, 1.0),
    "stream of scales 0": ({"scale": torch.zeros(2)}, 1.0),
    "masked": ({"mask": torch.zeros(2, 2, dtype=torch.bool)}, 1.0),
    "nowhere": ({"region": torch.zeros(2, 1, 16, 16)}, 1.0),
    "no tokens": ({"tokens": torch.zeros(2, 0, 3)}, 1.0),
}


@pytest.mark.parametrize(("options", "scale"), OFF.values(), ids=OFF.keys())
@pytest.mark.parametrize("beside_text", [True, False])
def test_an_inactive_adapter_gives_the_bits_of_no_adapter(
    model: Model, make: Any, options: dict[str, Any], scale: float | Tensor, beside_text: bool
) -> None:
    streams = {"text": text()} if beside_text else {}
    alone = run(model, **streams)
    adapter = make(model).requires_grad_(True)
    adapted = run(model, control(adapter, scale), **streams, palette=palette(**options))
    assert torch.equal(adapted, alone)
    if adapted.grad_fn is not None:
        adapted.sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in adapter.parameters())


def test_an_adapter_of_scale_0_is_not_called(model: Model, make: Any) -> None:
    adapter = make(model)
    adapter.register_forward_hook(lambda *_: pytest.fail("it was called"))
    run(model, control(adapter, 0), text=text(), palette=palette())
    run(model, control(adapter), text=text())


def test_masked_tokens_change_nothing(model: Model, make: Any) -> None:
    by, mask = control(make(model)), torch.tensor([[True, False], [True, False]])
    one = run(model, by, text=text(), palette=palette(mask=mask))
    other = palette(mask=mask, tokens=palette().tokens * torch.tensor([1.0, 50.0])[:, None])
    assert torch.equal(run(model, by, text=text(), palette=other), one)
    short = Stream(palette().tokens[:, :1])
    torch.testing.assert_close(run(model, by, text=text(), palette=short), one)


def test_a_region_limits_where_it_acts(make: Any, small_unet: Any) -> None:
    """With attention at the first level alone and no mixing after it but by convolutions."""
    model = small_unet(**TEXT, channel_mult=(1,), attention_resolutions=())
    name = next(iter(model.cross_attentions)).removesuffix(".attn2")
    features: list[Tensor] = []
    model.get_submodule(f"{name}.norm3").register_forward_hook(
        lambda _m, a, _o: features.append(a[0])
    )
    left = torch.zeros(2, 1, 8, 8)
    left[..., :4] = 1
    run(model, text=text())
    run(model, control(make(model)), text=text(), palette=palette(region=left))
    change = (features[1] - features[0]).abs().amax(dim=2).view(2, 8, 8)
    assert change[..., 4:].max() == 0
    assert change[..., :4].min() > 0


def test_each_row_has_its_scale(model: Model, make: Any) -> None:
    adapter = make(model)
    both = run(model, control(adapter, torch.tensor([0.3, 2.0])), text=text(), palette=palette())
    for row, scale in enumerate((0.3, 2.0)):
        alone = run(model, control(adapter, scale), text=text(), palette=palette())
        torch.testing.assert_close(both[row], alone[row])


def test_the_scale_of_the_context_does_not_affect_the_adapter(model: Model, make: Any) -> None:
    """The context alone fades out."""
    by = control(make(model))
    faint = replace(text(), scale=1e-7)
    near = run(model, by, text=faint, palette=palette())
    torch.testing.assert_close(near, run(model, by, palette=palette()), rtol=1e-4, atol=1e-4)


def test_several_adapters_add_up_in_any_order(model: Model, make: Any) -> None:
    uses = {
        "palette": ScaledAdapter(make(model), 0.5),
        "sketch": ScaledAdapter(make(model, seed=6, width=8, projection=None), 0.8),
    }
    streams = {"text": text(), "palette": palette(), "sketch": Stream(noise(2, 5, 8, seed=4))}
    both = run(model, Control(adapters=uses), **streams)
    reversed_uses = dict(reversed(uses.items()))
    torch.testing.assert_close(run(model, Control(adapters=reversed_uses), **streams), both)
    one = dict(streams)
    del one["sketch"]
    assert (run(model, Control(adapters=uses), **one) - both).abs().max() > 1e-3


def test_rows_are_independent(model: Model, make: Any) -> None:
    by, x = control(make(model)), noise(2, 4, 8, 8)
    streams = {"text": text(), "palette": palette(mask=torch.tensor([[True, True], [True, False]]))}
    both = model(x, T, Condition(streams), by)
    for row in range(2):
        at = slice(row, row + 1)
        one = {
            name: Stream(s.tokens[at], None if s.mask is None else s.mask[at])
            for name, s in streams.items()
        }
        alone = model(x[at], T[at], Condition(one), by)
        torch.testing.assert_close(alone, both[at], rtol=1e-5, atol=1e-5)


def test_threads_with_different_adapters_share_one_model(model: Model, make: Any) -> None:
    controls = [control(make(model, seed=k)) for k in range(4)] + [Control()]

    def one(k: int) -> Tensor:
        streams = {"text": text(), "palette": palette()} if k % 5 < 4 else {"text": text()}
        with torch.no_grad():
            return run(model, controls[k % 5], **streams)

    expected = [one(k) for k in range(5)]
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(one, range(30)))
    assert all(torch.equal(each, expected[k % 5]) for k, each in enumerate(found))


def test_gradient_checkpointing_changes_no_gradient(model: Model, make: Any) -> None:
    def gradients(gradient_checkpointing: bool) -> dict[str, Tensor]:
        adapter = make(model.requires_grad_(False)).requires_grad_(True)
        by = replace(control(adapter), gradient_checkpointing=gradient_checkpointing)
        run(model, by, text=text(), palette=palette()).square().sum().backward()
        return {n: p.grad for n, p in adapter.named_parameters() if p.grad is not None}

    plain, again = gradients(False), gradients(True)
    assert plain.keys() == again.keys()
    assert plain
    assert all(torch.equal(plain[name], again[name]) for name in plain)


def test_16_bit_results_are_close(model: Model, make: Any) -> None:
    by = control(make(model))
    exact = run(model, by, text=text(), palette=palette()).detach()
    half = replace(by, adapters={"palette": ScaledAdapter(make(model).bfloat16())})
    condition = Condition({"text": text(), "palette": palette()}).to("cpu", torch.bfloat16)
    x = noise(2, 4, 8, 8).bfloat16()
    found = model.bfloat16()(x, T, condition, half)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), exact, rtol=0.1, atol=0.1 * float(exact.abs().max()))


class TestFaults:
    def test_a_stream_without_an_adapter_is_refused(self, model: Model) -> None:
        with pytest.raises(ConditionError, match=r"takes no stream 'palette'. Known: text"):
            run(model, text=text(), palette=palette())

    def test_a_stream_of_another_width_is_refused(self, model: Model, make: Any) -> None:
        wide = Stream(noise(2, 2, 4))
        with pytest.raises(ConditionError, match=r"'palette' has width 4.*takes 3"):
            run(model, control(make(model)), text=text(), palette=wide)

    def test_the_name_of_a_denoiser_stream_is_refused(self, model: Model, make: Any) -> None:
        with pytest.raises(ConditionError, match=r"called 'text'.*another name"):
            run(model, control(make(model, width=8), name="text"), text=text())

    def test_scales_of_another_batch_size_are_refused(self, model: Model, make: Any) -> None:
        with pytest.raises(ConditionError, match=r"scale of the adapter 'palette'.*\(3,\).*\(2,\)"):
            run(model, control(make(model), torch.ones(3)), text=text(), palette=palette())

    def test_layers_of_another_denoiser_are_refused(self, model: Model) -> None:
        other = AttentionAdapter(
            AttentionAdapterConfig(width=3, layers={"input_blocks.9.1.attn2": 16})
        )
        with pytest.raises(CompatibilityError, match="adapter 'palette' has the layers"):
            run(model, control(other), text=text(), palette=palette())

    def test_layers_of_another_width_are_refused(self, model: Model) -> None:
        layers = {name: width + 16 for name, width in model.cross_attentions.items()}
        other = AttentionAdapter(AttentionAdapterConfig(width=3, layers=layers))
        with pytest.raises(CompatibilityError, match=r"for another denoiser: it has .* of width"):
            run(model, control(other), text=text(), palette=palette())

    @pytest.mark.parametrize("kind", ["unet", "transformer"])
    def test_a_denoiser_without_cross_attention_is_refused(self, request: Any, kind: str) -> None:
        model = request.getfixturevalue(f"small_{kind}")()
        assert "adapters" not in model.config.supports
        other = AttentionAdapter(
            AttentionAdapterConfig(width=3, layers={"blocks.0.cross_attn": 16})
        )
        with pytest.raises(CompatibilityError, match="this denoiser has none"):
            run(model, control(other))
