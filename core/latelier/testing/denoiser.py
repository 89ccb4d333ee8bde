"""What every denoiser keeps to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.components import Control
from latelier.contracts.condition import Condition, Stream
from latelier.contracts.configs import DenoiserConfig
from latelier.contracts.errors import LatelierError
from latelier.testing.module import ModuleContract, is_close
from latelier.testing.randomness import seeded

TOKENS = 3
LEAST = 1e-6
"""How much what is told must change the prediction."""


class DenoiserContract(ModuleContract):
    """The contract of denoisers. A plugin's own test file:

        from latelier.testing import DenoiserContract

        class TestMixer(DenoiserContract):
            component = "latelier-mixer/mixer"
            config = {"channels": 4, "width": 16, "streams": {"text": {"width": 8}}}

    component: the full id, 'distribution/name', or the bare name while it is unique.
    config: the fields to build it with; small, so that the tests are fast. It is told of every
        condition that the config takes, so let it take some.
    size: (h, w) of the latents to test it with.
    """  # noqa: D415

    kind = "denoiser"
    size: ClassVar[tuple[int, int]] = (8, 8)

    @property
    def declared(self) -> DenoiserConfig:
        """Its configuration."""
        config = self.registry.validate_config(self.component, self.config)
        assert isinstance(config, DenoiserConfig)
        return config

    def given(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return x, t and all parts of the condition, flat; each row of its own seed."""
        del component
        shapes: dict[str, tuple[int, ...]] = {"x": (self.declared.latent_channels, *self.size)}
        takes = self.declared.inputs()
        shapes |= {f"stream.{name}": (TOKENS, s.width) for name, s in takes.streams.items()}
        shapes |= {f"spatial.{name}": (c, *self.size) for name, c in takes.spatial.items()}
        shapes |= {f"vector.{name}": (width,) for name, width in takes.vectors.items()}
        made: dict[str, list[Tensor]] = {name: [] for name in shapes}
        for row in rows:
            generator = torch.Generator().manual_seed(row)
            for name, shape in shapes.items():
                made[name].append(torch.randn(shape, generator=generator))
        given = {name: torch.stack(tensors) for name, tensors in made.items()}
        return {**given, "t": torch.tensor([100.0 + 300 * row for row in rows])}

    def made(self, component: Any, given: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the prediction."""
        return {"prediction": component(given["x"], given["t"], condition_in(given))}

    def in_precision(self, given: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return what a host gives: t stays float32, which the timesteps need."""
        return {**super().in_precision(given, dtype), "t": given["t"]}

    def predicted(self, given: Mapping[str, Tensor], condition: Condition) -> Tensor:
        """Return the prediction of a new denoiser under a condition."""
        component = self.build()
        with torch.no_grad(), seeded():
            prediction: Tensor = component(given["x"], given["t"], condition)
        return prediction

    def test_its_prediction_is_like_x(self) -> None:
        """(B, C, h, w), as its process takes it."""
        prediction = self.run(self.build())["prediction"]
        expected = (len(self.rows), self.declared.latent_channels, *self.size)
        assert tuple(prediction.shape) == expected, (
            f"the prediction is {tuple(prediction.shape)}, x is {expected}"
        )

    def test_one_image_is_as_it_is_in_a_batch(self) -> None:
        """Nothing is computed over the batch; t is each image's own."""
        together = self.run(self.build())["prediction"]
        for row in self.rows:
            alone = self.run(self.build(), [row])["prediction"]
            assert is_close(together[row], alone[0]), f"image {row} is another in a batch"

    def test_everything_told_changes_the_prediction(self) -> None:
        """x, t and each condition that its config takes: what it ignores it must not take."""
        given = self.given(None, self.rows)
        expected = self.predicted(given, condition_in(given))
        for name, tensor in given.items():
            changed = {**given, name: tensor * 0.5 + 1}
            other = self.predicted(changed, condition_in(changed))
            assert (other - expected).abs().max() > LEAST, f"'{name}' changes nothing"

    def test_an_absent_stream_counts_for_nothing(self) -> None:
        """Left out, wholly masked or of scale 0, a stream gives the same, exactly zero."""
        given = self.given(None, self.rows)
        condition = condition_in(given)
        for name, stream in condition.streams.items():
            streams = {each: s for each, s in condition.streams.items() if each != name}
            absent = self.predicted(given, replace(condition, streams=streams))
            others = {"of scale 0": replace(stream, scale=0.0)}
            if "masks" in self.declared.supports:
                others["wholly masked"] = replace(stream, mask=_mask(stream, 0))
            for how, other in others.items():
                made = self.predicted(given, _with(condition, name, other))
                assert made.isfinite().all(), f"the stream '{name}' {how} makes NaN"
                assert is_close(made, absent), (
                    f"the stream '{name}' {how} is not as if it were absent: an absent stream adds "
                    "exactly zero, the bias of its projection too"
                )

    def test_masked_tokens_change_nothing(self) -> None:
        """Where it supports masks: whatever they are, and in the gradient too."""
        if "masks" not in self.declared.supports:
            return
        given = self.given(None, self.rows)
        condition = condition_in(given)
        for name, stream in condition.streams.items():
            mask = _mask(stream, TOKENS - 1)
            masked = replace(stream, mask=mask)
            garbled = replace(masked, tokens=torch.where(mask[..., None], stream.tokens, 1e3))
            expected = self.predicted(given, _with(condition, name, masked))
            assert is_close(self.predicted(given, _with(condition, name, garbled)), expected), (
                f"masked tokens of the stream '{name}' change the prediction"
            )

    def test_gradients_of_a_masked_stream_are_finite(self) -> None:
        """Training drops conditions: a softmax over no token must not make NaN backward either."""
        if "masks" not in self.declared.supports:
            return
        given = self.given(None, self.rows)
        condition = condition_in(given)
        for name, stream in condition.streams.items():
            tokens = stream.tokens.clone().requires_grad_()
            other = replace(stream, tokens=tokens, mask=_mask(stream, 0))
            with torch.enable_grad(), seeded():
                made = self.build()(given["x"], given["t"], _with(condition, name, other))
            gradient = torch.autograd.grad(made.square().sum(), tokens, allow_unused=True)[0]
            assert gradient is None or not gradient.any(), (
                f"the gradient of the wholly masked stream '{name}' is not zero"
            )

    @pytest.mark.parametrize("fault", ["unknown stream", "unknown vector", "width", "rows"])
    def test_a_condition_that_does_not_fit_is_one_clear_error(self, fault: str) -> None:
        """A LatelierError in one line: nothing is ignored, and nothing fails inside of torch."""
        given = self.given(None, self.rows)
        condition = condition_in(given)
        wrong = _wrong(condition, fault)
        if wrong is not None:
            self._check_refused(lambda: self.predicted(given, wrong), fault)

    def test_a_control_that_it_does_not_honour_is_one_clear_error(self) -> None:
        """A LatelierError in one line: a control is obeyed or refused, and never ignored."""
        given = self.given(None, self.rows)
        controls = {
            "residuals": Control(residuals={"no_such_block": given["x"]}),
            "perturbed_attention": Control(perturbed_attention=frozenset({"no_such_layer"})),
        }
        for name, control in controls.items():

            def call(control: Control = control) -> Tensor:
                made: Tensor = self.build()(given["x"], given["t"], condition_in(given), control)
                return made

            self._check_refused(call, f"control with unknown {name}")

    def _check_refused(self, call: Any, what: str) -> None:
        refused = None
        try:
            with torch.no_grad():
                call()
        except LatelierError as error:
            refused = str(error)
        except Exception as error:
            pytest.fail(
                f"{what}: raises {type(error).__name__} ({error}); raise ConditionError, and say "
                "what it takes"
            )
        assert refused, f"{what}: is ignored; raise ConditionError, and say what it takes"
        assert "\n" not in refused, f"{what}: the error is not one line: {refused!r}"


def condition_in(given: Mapping[str, Tensor]) -> Condition:
    """Return the condition in what a denoiser is given, flat."""

    def of(kind: str) -> dict[str, Tensor]:
        prefix = f"{kind}."
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in given.items()
            if name.startswith(prefix)
        }

    streams = {name: Stream(tokens) for name, tokens in of("stream").items()}
    return Condition(streams, of("spatial"), of("vector"))


def _mask(stream: Stream, count: int) -> Tensor:
    """Return a mask under which the first `count` tokens count."""
    b, n, _ = stream.tokens.shape
    return (torch.arange(n) < count).expand(b, n)


def _with(condition: Condition, name: str, stream: Stream) -> Condition:
    return replace(condition, streams={**condition.streams, name: stream})


def _wrong(condition: Condition, fault: str) -> Condition | None:
    """Return a condition of which something does not fit; None where there is no such thing."""
    rows = condition.batch or 2
    if fault == "unknown stream":
        return _with(condition, "no_such_stream", Stream(torch.zeros(rows, 1, 4)))
    if fault == "unknown vector":
        vectors = {**condition.vectors, "no_such_vector": torch.zeros(rows, 4)}
        return replace(condition, vectors=vectors)
    if not condition.streams:
        return None
    if fault == "width":
        name, stream = next(iter(condition.streams.items()))
        tokens = torch.cat([stream.tokens, stream.tokens], 2)
        return _with(condition, name, Stream(tokens))
    doubled = {
        name: Stream(torch.cat([stream.tokens, stream.tokens]))
        for name, stream in condition.streams.items()
    }
    spatial = {name: torch.cat([each, each]) for name, each in condition.spatial.items()}
    vectors = {name: torch.cat([each, each]) for name, each in condition.vectors.items()}
    return Condition(doubled, spatial, vectors)
