"""The contract of denoisers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import DenoiserConfig
from latelier.testing.module import ModuleContract
from latelier.testing.support.comparison import check_one_clear_error, has_same_bits, is_close
from latelier.testing.support.randomness import seeded

TOKENS = 3
MIN_CHANGE = 1e-6
"""Every input must change the prediction by more than this."""

_ADVICE = "raise ConditionError, and list the known names and shapes"


class DenoiserContract(ModuleContract):
    """The contract of denoisers. A plugin's own test file:

        from latelier.testing import DenoiserContract

        class TestMixer(DenoiserContract):
            component = "latelier-mixer/mixer"
            config = {"channels": 4, "width": 16, "streams": {"text": {"width": 8}}}

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with; small, so that the tests are fast. It is tested with
            all conditions of the config, so give it some.
        size: (h, w) of the latents to test it with.
    """  # noqa: D415

    kind = "denoiser"
    size: ClassVar[tuple[int, int]] = (8, 8)

    @property
    def validated_config(self) -> DenoiserConfig:
        """The configuration that it is built with."""
        config = self.registry.validate_config(self.component, self.config)
        assert isinstance(config, DenoiserConfig)
        return config

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return x, t and the parts of the condition by dotted names; each row has its own seed."""
        del component
        tensors: dict[str, list[Tensor]] = {}
        for row in rows:
            generator = torch.Generator().manual_seed(row)
            for name, shape in _input_shapes(self.validated_config, self.size).items():
                tensors.setdefault(name, []).append(torch.randn(shape, generator=generator))
        t = torch.tensor([100.0 + 300 * row for row in rows])
        return {**{name: torch.stack(rows_of) for name, rows_of in tensors.items()}, "t": t}

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the prediction."""
        return {"prediction": component(inputs["x"], inputs["t"], condition_of(inputs))}

    def cast_inputs(self, inputs: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return inputs as a host passes them: timesteps stay float32."""
        return {**super().cast_inputs(inputs, dtype), "t": inputs["t"]}

    def predict(
        self, inputs: Mapping[str, Tensor], condition: Condition, control: Control | None = None
    ) -> Tensor:
        """Return the prediction of a new denoiser under a condition."""
        component = self.build()
        with torch.no_grad(), seeded():
            return component(inputs["x"], inputs["t"], condition, control)

    def test_the_prediction_has_the_shape_of_x(self) -> None:
        """It is (B, C, h, w), as its noise process expects."""
        prediction = self.run(self.build())["prediction"]
        expected = (len(self.rows), self.validated_config.latent_channels, *self.size)
        assert tuple(prediction.shape) == expected, (
            f"the prediction is {tuple(prediction.shape)}, x is {expected}"
        )

    def test_rows_of_a_batch_are_independent(self) -> None:
        """Nothing is computed over the batch; every row has its own t."""
        together = self.run(self.build())["prediction"]
        for row in self.rows:
            alone = self.run(self.build(), [row])["prediction"]
            assert is_close(together[row], alone[0]), f"row {row} differs when it is alone"

    def test_every_input_changes_the_prediction(self) -> None:
        """x, t and each condition of the config: a denoiser must not declare inputs it ignores."""
        inputs = self.make_inputs(None, self.rows)
        expected = self.predict(inputs, condition_of(inputs))
        for name, tensor in inputs.items():
            changed = {**inputs, name: tensor * 0.5 + 1}
            other = self.predict(changed, condition_of(changed))
            assert (other - expected).abs().max() > MIN_CHANGE, f"'{name}' changes nothing"

    def test_an_absent_stream_adds_nothing(self) -> None:
        """Left out, fully masked or of scale 0, a stream adds exactly zero."""
        inputs = self.make_inputs(None, self.rows)
        condition = condition_of(inputs)
        for name, stream in condition.streams.items():
            streams = {key: value for key, value in condition.streams.items() if key != name}
            absent = self.predict(inputs, replace(condition, streams=streams))
            for kind, other in self._without_effect(stream).items():
                prediction = self.predict(inputs, _replace_stream(condition, name, other))
                assert prediction.isfinite().all(), f"the stream '{name}' {kind} makes NaN"
                assert is_close(prediction, absent), (
                    f"the stream '{name}' {kind} differs from an absent one, which adds exactly "
                    "zero, also through the bias of its projection"
                )

    def test_masked_tokens_change_nothing(self) -> None:
        """Where masks are supported, the values of masked tokens have no effect."""
        inputs = self.make_inputs(None, self.rows)
        condition = condition_of(inputs)
        for name, stream in self._maskable_streams(condition).items():
            mask = _first_tokens(stream, TOKENS - 1)
            masked = replace(stream, mask=mask)
            garbled = replace(masked, tokens=torch.where(mask[..., None], stream.tokens, 1e3))
            expected = self.predict(inputs, _replace_stream(condition, name, masked))
            other = self.predict(inputs, _replace_stream(condition, name, garbled))
            assert is_close(other, expected), (
                f"masked tokens of the stream '{name}' change the prediction"
            )

    def test_a_masked_stream_has_no_gradient(self) -> None:
        """Training drops conditions: a softmax over no token must not make NaN backward either."""
        inputs = self.make_inputs(None, self.rows)
        condition = condition_of(inputs)
        for name, stream in self._maskable_streams(condition).items():
            tokens = stream.tokens.clone().requires_grad_()
            masked = replace(stream, tokens=tokens, mask=_first_tokens(stream, 0))
            with torch.enable_grad(), seeded():
                other = _replace_stream(condition, name, masked)
                prediction = self.build()(inputs["x"], inputs["t"], other)
            (gradient,) = torch.autograd.grad(prediction.square().sum(), tokens, allow_unused=True)
            assert gradient is None or not gradient.any(), (
                f"the gradient of the fully masked stream '{name}' is not zero"
            )

    @pytest.mark.parametrize("fault", ["unknown stream", "unknown vector", "width", "rows"])
    def test_a_wrong_condition_raises_one_clear_error(self, fault: str) -> None:
        """A LatelierError in one line: nothing is ignored, and nothing fails inside of torch."""
        inputs = self.make_inputs(None, self.rows)
        wrong = _make_wrong(condition_of(inputs), fault)
        if wrong is not None:
            check_one_clear_error(lambda: self.predict(inputs, wrong), fault, _ADVICE)

    @pytest.mark.parametrize("name", ["residuals", "perturbed_attention"])
    def test_an_unknown_control_raises_one_clear_error(self, name: str) -> None:
        """A LatelierError in one line: a control is never ignored."""
        inputs = self.make_inputs(None, self.rows)
        control = {
            "residuals": Control(residuals={"no_such_block": inputs["x"]}),
            "perturbed_attention": Control(perturbed_attention=frozenset({"no_such_layer"})),
        }[name]
        check_one_clear_error(
            lambda: self.build()(inputs["x"], inputs["t"], condition_of(inputs), control),
            f"a control with unknown {name}",
            _ADVICE,
        )

    def test_a_wrapper_computes_the_self_attentions(self) -> None:
        """Where `self_attention` is supported: of tokens that are the positions of a map."""
        if "self_attention" not in self.validated_config.supports:
            return
        inputs = self.make_inputs(None, self.rows)
        condition, seen = condition_of(inputs), list[tuple[Tensor, tuple[int, int], Tensor]]()

        def wrap(
            attend: Callable[[Tensor], Tensor], tokens: Tensor, size: tuple[int, int], t: Tensor
        ) -> Tensor:
            seen.append((tokens, size, t))
            return attend(tokens)

        expected = self.predict(inputs, condition)
        wrapped = self.predict(inputs, condition, Control(self_attention=wrap))
        assert seen, "no self-attention calls the wrapper of `Control.self_attention`"
        for tokens, (h, w), t in seen:
            assert tokens.shape[:2] == (len(self.rows), h * w), (
                f"a wrapper is given tokens {tuple(tokens.shape)} of a map of {h} x {w}"
            )
            assert torch.equal(t, inputs["t"]), "a wrapper is not given the timesteps of the call"
        assert has_same_bits(wrapped, expected), "a wrapper that changes nothing changes bits"

    def test_a_deep_branch_that_is_kept_is_not_computed(self) -> None:
        """Where `deep_branch` is supported: the same features make the same prediction."""
        if "deep_branch" not in self.validated_config.supports:
            return
        inputs = self.make_inputs(None, self.rows)
        condition, branch = condition_of(inputs), KeptBranch()
        expected = self.predict(inputs, condition)
        for _ in range(2):
            prediction = self.predict(inputs, condition, Control(deep_branch=branch))
            assert has_same_bits(prediction, expected), (
                "the wrapper of `Control.deep_branch` changes bits with the features of the branch"
            )
        assert branch.computed == 1, (
            f"the deep branch is computed {branch.computed} times, not once"
        )

    def _without_effect(self, stream: Stream) -> dict[str, Stream]:
        """Return variants of a stream that equal an absent one."""
        variants = {"of scale 0": replace(stream, scale=0.0)}
        if "masks" in self.validated_config.supports:
            variants["fully masked"] = replace(stream, mask=_first_tokens(stream, 0))
        return variants

    def _maskable_streams(self, condition: Condition) -> Mapping[str, Stream]:
        return condition.streams if "masks" in self.validated_config.supports else {}


class KeptBranch:
    """A wrapper of the outermost deep branch, which computes it once.

    Attributes:
        computed: how often it was computed.
    """

    depth = 1

    def __init__(self) -> None:
        self.computed = 0
        self._features: Tensor | None = None

    def __call__(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return the features of the first call."""
        if self._features is None:
            self._features = compute()
            self.computed += 1
        return self._features

    def select(self, rows: Tensor) -> "KeptBranch":
        """Return itself: the kit divides no call."""
        del rows
        return self


def _input_shapes(config: DenoiserConfig, size: tuple[int, int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of one row of x and of each part of the condition, by dotted names."""
    spec = config.inputs()
    return {
        "x": (config.latent_channels, *size),
        **{f"stream.{name}": (TOKENS, slot.width) for name, slot in spec.streams.items()},
        **{f"spatial.{name}": (channels, *size) for name, channels in spec.spatial.items()},
        **{f"vector.{name}": (width,) for name, width in spec.vectors.items()},
    }


def condition_of(inputs: Mapping[str, Tensor]) -> Condition:
    """Return the condition whose parts have dotted names among the inputs."""

    def select(kind: str) -> dict[str, Tensor]:
        prefix = f"{kind}."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in inputs.items()
            if name.startswith(prefix)
        }

    streams = {name: Stream(tokens) for name, tokens in select("stream").items()}
    return Condition(streams, select("spatial"), select("vector"))


def _first_tokens(stream: Stream, count: int) -> Tensor:
    """Return the mask of the first `count` tokens."""
    b, n, _ = stream.tokens.shape
    return (torch.arange(n) < count).expand(b, n)


def _replace_stream(condition: Condition, name: str, stream: Stream) -> Condition:
    return replace(condition, streams={**condition.streams, name: stream})


def _make_wrong(condition: Condition, fault: str) -> Condition | None:
    """Return a condition with a fault; None where the denoiser's conditions cannot have it."""
    rows = condition.batch or 2
    if fault == "unknown stream":
        return _replace_stream(condition, "no_such_stream", Stream(torch.zeros(rows, 1, 4)))
    if fault == "unknown vector":
        vectors = {**condition.vectors, "no_such_vector": torch.zeros(rows, 4)}
        return replace(condition, vectors=vectors)
    if not condition.streams:
        return None
    if fault == "width":
        name, stream = next(iter(condition.streams.items()))
        wide = Stream(torch.cat([stream.tokens, stream.tokens], dim=2))
        return _replace_stream(condition, name, wide)
    streams = {
        name: Stream(torch.cat([stream.tokens, stream.tokens]))
        for name, stream in condition.streams.items()
    }
    spatial = {name: torch.cat([part, part]) for name, part in condition.spatial.items()}
    vectors = {name: torch.cat([vector, vector]) for name, vector in condition.vectors.items()}
    return Condition(streams, spatial, vectors)
