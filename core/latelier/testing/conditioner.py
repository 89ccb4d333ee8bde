"""What every conditioner keeps to."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from latelier.contracts.components import Control, PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, concat, where
from latelier.contracts.configs import DenoiserConfig, OutputSpec
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.inputs import Box, read_input
from latelier.contracts.sigma_grid import SigmaGrid
from latelier.diffusion.guidance.cfg import cfg
from latelier.testing.module import ModuleContract
from latelier.testing.support.boxes import box, find_boxes, replace_boxes
from latelier.testing.support.comparison import has_same_bits, is_close
from latelier.testing.support.placement import META, weights_dtype
from latelier.testing.support.randomness import GlobalState, seeded
from latelier.testing.support.reading import active_tokens, attend_part, part_tensors
from latelier.testing.support.schemas import check_described, check_refuses, check_round_trip

WHOLE = (0.0, 0.0, 1.0, 1.0)
LEAST = 1e-6
"""How much two parts must differ, so that a model could tell them apart."""


class ConditionerContract(ModuleContract):
    """The contract of conditioners. A plugin's own test file:

        from latelier.testing import ConditionerContract

        class TestPalette(ConditionerContract):
            component = "latelier-palette/palette"
            config = {"width": 128}
            inputs = [["#ff0000"], ["#00ff00", "#0000ff"]]
            bad_inputs = [["no colour"]]

    component: the full id, 'distribution/name', or the bare name while it is unique.
    config: the fields to build it with; small, so that the tests are fast.
    inputs: at least two that differ, as a person gives them, in the short form or the long one.
    bad_inputs: what it must refuse.
    geometry: the picture that inputs are prepared for; with a first stage where it needs one.

    Override `equip` for what it needs beside its config, such as a vocabulary.
    """  # noqa: D415

    kind = "conditioner"
    required = ("component", "inputs")
    inputs: ClassVar[Sequence[Any]]
    bad_inputs: ClassVar[Sequence[Any]] = ()
    geometry: ClassVar[PictureGeometry] = PictureGeometry((64, 64), (16, 16))

    @property
    def rows(self) -> list[int]:
        """All inputs."""
        assert len(self.inputs) >= 2, "give `inputs` at least two values that differ"
        return list(range(len(self.inputs)))

    def read(self, value: Any) -> Any:
        """Return a value as an `Input`."""
        return read_input(self.registry.input_class(self.component), value, self.component)

    def make_inputs(self, component: Any, rows: Sequence[int], /) -> dict[str, Tensor]:
        """Return the tensors of the prepared batch of these inputs."""
        batch = self.prepared(component, rows)
        return {name: each for name, each in batch.items() if isinstance(each, Tensor)}

    def prepared(self, component: Any, rows: Sequence[int]) -> dict[str, Any]:
        """Return what `prepare` makes of these inputs."""
        values = [self.read(self.inputs[row]) for row in rows]
        return dict(component.prepare(values, replace(self.geometry, first_stage=None)))

    def compute(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the tensors of the part."""
        return part_tensors(component(inputs, self._geometry_for(component, inputs)))

    def compute_all(self, component: Any, inputs: Mapping[str, Tensor], /) -> dict[str, Tensor]:
        """Return the tensors of the null part and of the part."""
        null = component.null(len(self.rows), self._geometry_for(component, inputs))
        return {**part_tensors(null, "null."), **self.compute(component, inputs)}

    def cast_inputs(self, inputs: Mapping[str, Tensor], dtype: torch.dtype, /) -> dict[str, Tensor]:
        """Return the batch as it is: what is prepared stays float32, `forward` casts it."""
        del dtype
        return dict(inputs)

    def part(self, rows: Sequence[int] | None = None, component: Any = None) -> ConditionPart:
        """Return the part for inputs, by a new component unless one is given."""
        component = self.build() if component is None else component
        rows = self.rows if rows is None else rows
        with torch.no_grad(), seeded():
            part: ConditionPart = component(self.make_inputs(component, rows), self.geometry)
        return part

    def part_of(
        self, values: Sequence[Any], geometry: PictureGeometry | None = None
    ) -> ConditionPart:
        """Return the part for values of `Input`, by a new component."""
        geometry = geometry or self.geometry
        component = self.build()
        with torch.no_grad(), seeded():
            part: ConditionPart = component(
                component.prepare(values, replace(geometry, first_stage=None)), geometry
            )
        return part

    def null(self, count: int | None = None, component: Any = None) -> ConditionPart:
        """Return the null part for as many rows as there are inputs, or for `count`."""
        component = self.build() if component is None else component
        with torch.no_grad(), seeded():
            part: ConditionPart = component.null(
                len(self.rows) if count is None else count, self.geometry
            )
        return part

    # ----------------------------------------------------------------------- what a person gives

    def test_its_input_survives_a_round_trip(self) -> None:
        """A picture's record holds its inputs as JSON: they come back as the same values."""
        model = self.registry.input_class(self.component)
        for value in self.inputs:
            check_round_trip(model, self.read(value), "input")

    def test_its_input_refuses_what_it_does_not_know(self) -> None:
        """A misspelt field is an error, and not a default that nobody asked for."""
        value = self.read(self.inputs[0])
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        check_refuses(type(value), fields, "input")

    def test_its_input_is_described(self) -> None:
        """Every field says what it means: hosts draw forms and help from it."""
        check_described(self.registry.input_class(self.component), "input")

    def test_it_names_its_input(self) -> None:
        """The class that was registered is the class's own `Input`."""
        registered = self.registry.input_class(self.component)
        assert self.registry.get(self.component).Input is registered

    def test_a_bad_input_is_refused(self) -> None:
        """Nothing is corrected in silence, and nothing is left to fail inside of the model."""
        if not self.bad_inputs:
            pytest.skip("give `bad_inputs`: what a person might well give, and it cannot take")
        component = self.build()
        for value in self.bad_inputs:
            try:
                with torch.no_grad():
                    component.encode([value], self.geometry)
            except Exception:  # noqa: S112  # of what kind it is, another check tells
                continue
            pytest.fail(f"the bad input {value!r:.200} is taken: refuse it with InvalidInputError")

    def test_a_refusal_is_one_clear_error(self) -> None:
        """It is an InvalidInputError in one line that says what of the input is wrong."""
        component = self.build()
        for value in self.bad_inputs:
            try:
                with torch.no_grad():
                    component.encode([value], self.geometry)
            except InvalidInputError as error:
                self._check_text(str(error), value)
            except Exception as error:
                pytest.fail(
                    f"the bad input {value!r:.200} raises {type(error).__name__} ({error}): raise "
                    "ValueError in a validator of Input, or InvalidInputError in prepare"
                )

    # -------------------------------------------------------------------------------- to prepare

    def test_prepare_gives_cpu_tensors(self) -> None:
        """A data worker runs it, far from the device."""
        batch = self.prepared(self.build(), self.rows)
        assert batch, "prepare returns no tensor"
        for name, tensor in batch.items():
            assert isinstance(tensor, Tensor), f"prepare returns {name}, which is no tensor"
            assert tensor.device.type == "cpu", f"prepare returns {name} on {tensor.device}"

    def test_prepare_has_the_batch_first(self) -> None:
        """Rows are selected and joined along the first axis."""
        component = self.build()
        for rows in (self.rows, self.rows[:1], self.rows[:2]):
            for name, tensor in self.make_inputs(component, rows).items():
                assert tensor.shape[:1] == (len(rows),), (
                    f"prepare returns {name} of shape {tuple(tensor.shape)} for {len(rows)} "
                    "inputs: the first axis is the batch"
                )

    def test_prepare_draws_no_random_numbers(self) -> None:
        """What it returns is cached; randomness belongs in `augment`, with the generator there."""
        first, second = (self.make_inputs(self.build(), self.rows) for _ in range(2))
        for name, tensor in first.items():
            assert has_same_bits(tensor, second[name]), (
                f"prepare returns another {name} the second time: draw in augment(input, rng)"
            )

    def test_prepare_touches_no_weights(self) -> None:
        """A data worker has none; here they are on a device without numbers."""
        component = self.build()
        expected = self.make_inputs(component, self.rows)
        try:
            batch = self.make_inputs(component.to(META), self.rows)
        except (RuntimeError, NotImplementedError) as error:
            pytest.fail(f"prepare uses weights, which belongs in forward ({error})")
        for name, tensor in expected.items():
            assert is_close(batch[name], tensor), f"prepare makes {name} of weights"

    # ------------------------------------------------------------------------------ what it gives

    def test_it_fills_the_slots_that_its_config_gives(self) -> None:
        """Models are composed by what the config says, before anything is built."""
        gives, part = self._outputs(), self.part()
        said = {name for name, width in gives.model_dump().items() if width is not None}
        filled = set(part.tensors())
        assert filled == said, f"the config gives {sorted(said)}, the part fills {sorted(filled)}"

    def test_its_widths_are_those_of_its_config(self) -> None:
        """The denoiser's projections are as wide as the config says."""
        gives = self._outputs().model_dump()
        for name, tensor in self.part().tensors().items():
            width = tensor.shape[1] if name == "spatial" else tensor.shape[-1]
            assert gives[name] in (None, width), (
                f"the {name} has width {width}, and the config gives {gives[name]}"
            )

    def test_there_is_a_row_for_each_input(self) -> None:
        """Also where inputs are equal."""
        for rows in (self.rows, [0, 0, *self.rows]):
            part = self.part(rows)
            assert part.batch == len(rows), f"{len(rows)} inputs made {part.batch} rows"

    def test_a_map_is_of_latent_size(self) -> None:
        """A spatial part is concatenated to the latents, so it has the geometry's latent size."""
        for part in (self.part(), self.null()):
            if part.spatial is not None:
                size = tuple(part.spatial.shape[2:])
                assert size == self.geometry.latent_size, (
                    f"the spatial part is {size}, the latents are {self.geometry.latent_size}: "
                    "resize it to geometry.latent_size"
                )

    def test_inputs_that_differ_give_parts_that_differ(self) -> None:
        """Otherwise the model cannot tell them apart."""
        for one, other in combinations(self.rows, 2):
            assert _differ(self.part([one]), self.part([other])), (
                f"inputs {one} and {other} give the same part: what differs in them is ignored"
            )

    def test_what_differs_is_not_masked(self) -> None:
        """True in a mask means that a token counts: a denoiser sees the difference there."""
        for one, other in combinations(self.rows, 2):
            parts = self.part([one]), self.part([other])
            masks = [part.stream.mask for part in parts if part.stream is not None]
            if not any(mask is not None and not mask.all() for mask in masks):
                continue
            assert _apart(*(attend_part(part) for part in parts)), (
                f"what differs between inputs {one} and {other} is masked: in a mask True is a "
                "token that counts, False is padding"
            )

    def test_padding_changes_nothing(self) -> None:
        """Whatever is prepared under a mask's False, the tokens that count stay what they are."""
        with torch.no_grad(), seeded():
            batch = self.make_inputs(self.build(), self.rows)
            part: ConditionPart = self.build()(batch, self.geometry)
            if part.stream is None or part.stream.mask is None or part.stream.mask.all():
                return
            mask = part.stream.mask
            others = [self.build()(each, self.geometry).stream for each in _garbled(batch, mask)]
        for other in others:
            if not torch.equal(other.mask, mask):
                continue  # what was put there is what tells padding apart
            assert is_close(other.tokens[mask], part.stream.tokens[mask]), (
                "other padding gives other tokens: mask it inside of the conditioner, in attention "
                "and in every mean over tokens"
            )

    def test_one_input_is_as_it_is_in_a_batch(self) -> None:
        """Neither padding nor normalising nor anything else depends on who else is asked for."""
        together = self.part()
        for row in self.rows:
            alone = self.part([row])
            for name, tensor in alone.tensors().items():
                if name != "stream":
                    assert is_close(together.tensors()[name][row], tensor[0]), (
                        f"the {name} of input {row} is another in a batch"
                    )
            if alone.stream is not None and together.stream is not None:
                assert is_close(
                    active_tokens(together.stream, row), active_tokens(alone.stream, 0)
                ), (
                    f"the tokens of input {row} that count are others in a batch: mask padding, "
                    "and compute nothing over the batch"
                )

    # ------------------------------------------------------------------------- where nothing is

    def test_null_can_stand_where_the_part_stood(self) -> None:
        """It has the same slots and widths: training swaps rows, guidance stacks both."""
        part, null = self.part(), self.null()
        slots = sorted(part.tensors()), sorted(null.tensors())
        assert slots[0] == slots[1], f"the part fills {slots[0]}, its null {slots[1]}"
        for name, tensor in null.tensors().items():
            widths = _widths(name, part.tensors()[name]), _widths(name, tensor)
            assert widths[0] == widths[1], f"the {name} is {widths[0]}, that of null {widths[1]}"
        keep = torch.tensor([row % 2 == 0 for row in self.rows])
        assert where(keep, part, null).batch == len(keep)
        both = concat([Condition.of({"it": each}) for each in (part, null)])
        assert both.batch == 2 * len(keep)

    def test_null_does_not_depend_on_inputs(self) -> None:
        """It is what was learnt for nothing, whatever was asked for before."""
        expected = part_tensors(self.null())
        for row in self.rows:
            component = self.build()
            self.part([row], component)
            for name, tensor in part_tensors(self.null(component=component)).items():
                assert is_close(tensor, expected[name]), (
                    f"the {name} of null is another after an input: make it of weights alone"
                )

    def test_null_is_the_same_for_every_row(self) -> None:
        """Rows of nothing are alike, and as many as are asked for."""
        one = self.null(1).tensors()
        for name, tensor in self.null(3).tensors().items():
            assert len(tensor) == 3, f"null(3) has a {name} of {len(tensor)} rows"
            assert is_close(tensor, one[name].expand_as(tensor)), f"rows of null's {name} differ"

    def test_guidance_1_is_the_condition_alone(self) -> None:
        """Guidance of scale 1 gives the bits of the condition alone, though null is made too."""
        component, x = self.build(), torch.zeros(len(self.rows), 1)
        predict, grid = _Reads(), SigmaGrid((1.0, 0.0), "ve")
        condition = Condition.of({"it": self.part(component=component)})
        expected = predict(x, 1.0, [condition])[0]
        null = Condition.of({"it": self.null(component=component)})
        guided = cfg(predict, condition, null, grid, scale=1.0)(x, 1.0)
        assert has_same_bits(guided, expected), (
            "a part is another once null is made: give each call tensors of its own"
        )

    # ---------------------------------------------------------------------- places and training

    def test_a_window_of_the_whole_changes_nothing(self) -> None:
        """A picture seen through one window is the picture."""
        component = self.build()
        with torch.no_grad(), seeded():
            batch = self.make_inputs(component, self.rows)
            seen = dict(component.crop(batch, WHOLE))
            expected, made = self.compute(component, batch), self.compute(self.build(), seen)
        for name, tensor in expected.items():
            assert is_close(made[name], tensor), (
                f"{name} is another through a window of the whole picture: a window is x0, y0, x1, "
                "y1 in 0..1"
            )

    def test_boxes_that_differ_give_parts_that_differ(self) -> None:
        """Mirrored, moved or of another size, a box is told apart; corners are not sizes."""
        for value in self._with_boxes():
            for one, other in _BOX_PAIRS:
                parts = [self.part_of([replace_boxes(value, b)]) for b in (one, other)]
                assert _differ(*parts), (
                    f"the boxes {one!r} and {other!r} give one part: a box is x0, y0, x1, y1 in "
                    "0..1 from the upper left, not x, y, width, height"
                )

    def test_what_a_box_changes_lies_in_it(self) -> None:
        """Regions and maps change inside of the box alone: x0, y0, x1, y1 from the upper left."""
        places = box(0.5, 0.25, 0.75, 0.5), box(0.0, 0.5, 0.25, 1.0)
        for value in self._with_boxes():
            maps = [_maps(self.part_of([replace_boxes(value, b)])) for b in places]
            for name, one in maps[0].items():
                other = maps[1][name]
                changed = (one - other).abs().amax(dim=(0, 1)) > LEAST
                wrong = changed & ~_cells(places, changed)
                assert changed.any(), f"the {name} is the same wherever the box is"
                assert not wrong.any(), (
                    f"the {name} changes outside of the box: a box is x0, y0, x1, y1 in 0..1 from "
                    "the upper left; rows are y, columns x"
                )

    def test_augment_draws_from_the_generator_it_is_given(self) -> None:
        """The same generator gives the same input: training can be resumed and repeated."""
        component = self.build()
        for value in map(self.read, self.inputs):
            state = GlobalState()
            drawn = [component.augment(value, np.random.default_rng(3)) for _ in range(2)]
            assert isinstance(drawn[0], type(value)), f"augment returns a {type(drawn[0])}"
            assert drawn[0] == drawn[1], "augment differs for one generator: draw from `rng` alone"
            assert not state.changed(), f"augment changes {state.changed()}: draw from `rng` alone"

    # ------------------------------------------------------------------------------------ helpers

    def _geometry_for(self, component: Any, given: Mapping[str, Tensor]) -> PictureGeometry:
        """Return the geometry with its first stage where the component is, in its precision."""
        stage = self.geometry.first_stage
        if not isinstance(stage, nn.Module):
            return self.geometry
        device = next((each.device for each in given.values()), torch.device("cpu"))
        dtype = weights_dtype(component)
        return replace(self.geometry, first_stage=deepcopy(stage).to(device=device, dtype=dtype))

    def _outputs(self) -> OutputSpec:
        config = self.registry.validate_config(self.component, self.config)
        gives: OutputSpec = config.outputs()  # type: ignore[attr-defined]
        return gives

    def _with_boxes(self) -> list[Any]:
        """Return the inputs that have one box."""
        values = [self.read(value) for value in self.inputs]
        return [value for value in values if len(list(find_boxes(value))) == 1]

    def _check_text(self, text: str, value: Any) -> None:
        fields = self.registry.input_class(self.component).model_fields
        known = [*(name.rstrip("s") for name in fields), *_values(value)]
        assert "\n" not in text, f"the error has several lines: {text}"
        assert any(each.lower() in text.lower() for each in known), (
            f"the error names neither a field of the input ({', '.join(fields)}) nor the value: "
            f"'{text}'"
        )


_BOX_PAIRS = (
    (box(0.0, 0.25, 0.25, 0.75), box(0.75, 0.25, 1.0, 0.75)),
    (box(0.25, 0.0, 0.75, 0.25), box(0.25, 0.75, 0.75, 1.0)),
    (box(0.0, 0.25, 0.5, 0.5), box(0.25, 0.0, 0.5, 0.5)),
    (box(0.5, 0.5, 0.75, 0.75), box(0.5, 0.5, 1.0, 1.0)),
)
"""Mirrored left to right, top to bottom, along the diagonal; of another size. Read as corner and
size, those of the last pair both reach to the picture's end."""


class _Reads:
    """A `predict` whose estimate is what can be read of a condition."""

    config = DenoiserConfig()

    def __call__(
        self,
        x: Tensor,
        sigma: float | Tensor,
        conditions: Sequence[Condition],
        control: Control | None = None,
        /,
    ) -> list[Tensor]:
        """Return one sum for each condition."""
        del sigma, control
        return [x + self._sum(condition)[:, None] for condition in conditions]

    def decode(self, latents: Tensor, /) -> Tensor:
        """Return latents as they are."""
        return latents

    def condition_for(self, value: Any, /) -> Condition:
        """Return no condition."""
        del value
        return Condition()

    @staticmethod
    def _sum(condition: Condition) -> Tensor:
        part = ConditionPart(
            condition.streams.get("it"), condition.spatial.get("it"), condition.vectors.get("it")
        )
        return torch.stack([each.flatten(1).sum(1) for each in attend_part(part).values()]).sum(0)


def _differ(one: ConditionPart, other: ConditionPart) -> bool:
    """Tell whether two parts differ enough to be noticed.

    Streams of unlike lengths are compared by what is read of them: equal tokens are as one.
    """
    tensors = part_tensors(one), part_tensors(other)
    if tensors[0].keys() != tensors[1].keys():
        return True
    if any(a.shape != tensors[1][name].shape for name, a in tensors[0].items()):
        return _apart(attend_part(one), attend_part(other))
    return _apart(*tensors)


def _apart(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return any(
        a.shape != other[name].shape or bool((a.double() - other[name]).abs().max() > LEAST)
        for name, a in one.items()
    )


def _widths(slot: str, tensor: Tensor) -> tuple[int, ...]:
    """Return the sizes of a slot that are the same for every input."""
    return tuple(tensor.shape[2:] if slot == "stream" else tensor.shape[1:])


def _garbled(batch: Mapping[str, Tensor], mask: Tensor) -> Iterator[dict[str, Tensor]]:
    """Yield a batch with each tensor in turn changed where the mask (B, N) hides it.

    The values are taken from a token that counts, so that ids stay such as there are.
    """
    for name, tensor in batch.items():
        if tensor.shape[:2] == mask.shape and not torch.equal(tensor, mask):
            known = tensor[mask][-1]
            hidden = mask.view(*mask.shape, *[1] * (tensor.ndim - 2)).expand_as(tensor)
            yield {**batch, name: torch.where(hidden, tensor, known)}


def _maps(part: ConditionPart) -> dict[str, Tensor]:
    """Return what of a part lies in the picture, (B, C, h, w)."""
    region = None if part.stream is None else part.stream.region
    maps = {"region": region, "spatial part": part.spatial}
    return {name: each for name, each in maps.items() if each is not None}


def _cells(boxes: Sequence[Box], like: Tensor) -> Tensor:
    """Return which cells (h, w) boxes touch, and a cell around them."""
    h, w = like.shape
    cells = torch.zeros_like(like)
    for each in boxes:
        rows = slice(max(int(each.y0 * h) - 1, 0), int(each.y1 * h) + 1)
        columns = slice(max(int(each.x0 * w) - 1, 0), int(each.x1 * w) + 1)
        cells[rows, columns] = True
    return cells


def _values(value: Any) -> list[str]:
    """Return the texts and numbers in a value as they would be quoted."""
    if isinstance(value, Mapping):
        return [text for each in value.items() for text in _values(list(each))]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _values(each)]
    return [str(value)[:20]] if isinstance(value, str | int | float) and str(value) else []
