"""The contract of measures of pictures."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from latelier.contracts.features import Features
from latelier.contracts.measures import EvaluatedPictures, Figure, Measure
from latelier.evaluation.records.memory import MemoryRecords
from latelier.testing.module_config import ConfigChecks
from latelier.testing.side_effects import SideEffectChecks, isolate_home
from latelier.testing.support.audit import Activity, watch
from latelier.testing.support.comparison import is_close
from latelier.testing.support.evaluated import (
    MemoryReference,
    draw_features,
    draw_pictures,
    take_rows,
)
from latelier.testing.support.randomness import GlobalState, seeded

WIDTH, CLASSES = 4, 5
_SEED = 61_803
"""A seed that a measure hardly gives the global random state itself."""

OF_RUN = frozenset({"features", "logits", "originals", "reference"})


class MeasureContract(ConfigChecks, SideEffectChecks):
    """The contract of measures of pictures. A plugin's own test file:

        from latelier.testing import MeasureContract

        class TestCounts(MeasureContract):
            component = "latelier-counts/counts"
            samples = ({"prompt": "two cats"}, {"prompt": "a dog"})

    Attributes:
        component: the full id, 'distribution/name', or the bare name while it is unique.
        config: the fields to build it with.
        samples: of data, with the fields that it needs; they are taken in turn.
        count: number of pictures to test it with; not a multiple of 4.
        size: (H, W) of the pictures.
    """  # noqa: D415

    kind = "measure"
    samples: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    count: ClassVar[int] = 26
    size: ClassVar[tuple[int, int]] = (32, 48)

    def build(self) -> Measure:
        """Return a new measure."""
        measure: Measure = self.registry.build(self.component, self.config)
        return measure

    def make_pictures(self) -> EvaluatedPictures:
        """Return the pictures of the tests, with originals and features of all kinds."""
        images = draw_pictures(self.count, self.size)
        noise = draw_pictures(self.count, self.size, seed=1)
        originals = (0.9 * images + 0.1 * noise).to(torch.uint8)
        samples = [self.samples[k % len(self.samples)] for k in range(self.count)]
        return EvaluatedPictures(
            images, samples, originals, draw_features(self.count, WIDTH, CLASSES)
        )

    def record(self, measure: Measure, *, rows: int | None = None) -> dict[str, Tensor]:
        """Return the columns of all pictures, recorded `rows` at a time, at once by default."""
        pictures, rows = self.make_pictures(), rows or self.count
        parts = [
            measure.record(take_rows(pictures, slice(start, start + rows)))
            for start in range(0, self.count, rows)
        ]
        return {name: torch.cat([torch.as_tensor(p[name]) for p in parts]) for name in parts[0]}

    def compute_figures(
        self, measure: Measure, columns: Mapping[str, Tensor], chunk_size: int | None = None
    ) -> Sequence[Figure]:
        """Return the figures of columns, and of the features of all pictures."""
        features = self.make_pictures().features
        assert features is not None
        assert features.logits is not None
        of_run = {"features": features.vectors, "logits": features.logits}
        records = MemoryRecords({**of_run, **columns}, self.count, chunk_size or self.count)
        return measure.compute(records, self.make_reference())

    def make_reference(self) -> MemoryReference:
        """Return the reference pictures of the tests."""
        return MemoryReference(draw_features(self.count + 1, WIDTH, CLASSES, seed=2).vectors)

    def measure_pictures(self) -> Sequence[Figure]:
        """Return the figures of a new measure."""
        measure = self.build()
        return self.compute_figures(measure, self.record(measure))

    def test_its_needs_are_declared(self) -> None:
        """A run checks them before it makes a picture."""
        needs = self.build().needs
        assert isinstance(needs, frozenset), f"its needs are a {type(needs).__name__}: a frozenset?"
        for need in needs - OF_RUN:
            assert all(need in sample for sample in self.samples), (
                f"it needs the field '{need}' of samples: give `samples` of the test with it"
            )

    def test_it_uses_no_more_than_it_needs(self) -> None:
        """A run gives it nothing else: no originals or features that no measure needs."""
        measure = self.build()
        needs = frozenset(measure.needs)
        try:
            self._measure_bare(measure, needs)
        except Exception as error:
            pytest.fail(
                f"with what it declares to need, {sorted(needs)}, it raises "
                f"{type(error).__name__}: {error}"
            )

    def test_its_columns_have_a_row_for_each_picture(self) -> None:
        """They are stored in chunks, and put together in the order of the pictures."""
        for name, column in self.build().record(self.make_pictures()).items():
            assert isinstance(column, Tensor), f"'{name}' is a {type(column).__name__}: a tensor?"
            assert column.ndim >= 1, f"'{name}' is one number for all pictures"
            assert len(column) == self.count, f"'{name}' has {len(column)} rows"

    def test_a_row_depends_on_its_picture_alone(self) -> None:
        """Whatever is in its batch."""
        together, apart = self.record(self.build()), self.record(self.build(), rows=1)
        for name, column in together.items():
            assert is_close(column, apart[name]), f"'{name}' depends on the batch"

    def test_it_changes_no_pictures(self) -> None:
        """Other measures read them too."""
        pictures, before = self.make_pictures(), self.make_pictures()
        self.build().record(pictures)
        assert pictures.features is not None
        assert before.features is not None
        pairs = {
            "images": (pictures.images, before.images),
            "originals": (pictures.originals, before.originals),
            "features": (pictures.features.vectors, before.features.vectors),
            "logits": (pictures.features.logits, before.features.logits),
        }
        for name, (after, expected) in pairs.items():
            assert torch.equal(after, expected), f"it changes the {name} in place"  # type: ignore[arg-type]

    def test_it_is_deterministic(self) -> None:
        """The same pictures give the same figures: what it draws has a seed of its own."""
        with seeded():
            one = self.measure_pictures()
        with seeded():
            other = self.measure_pictures()
        assert one == other, f"figures differ between two runs: {one} and {other}"

    def test_it_leaves_the_global_random_state_alone(self) -> None:
        """It neither draws from the global random numbers nor seeds them."""
        with seeded(_SEED):
            state = GlobalState()
            self.measure_pictures()
            changed = state.changed()
        assert not changed, f"the global random state of {', '.join(changed)} changes"

    def test_chunks_do_not_matter(self) -> None:
        """The figures are of all pictures, however they are stored."""
        measure = self.build()
        columns = self.record(measure)
        for one, other in zip(
            self.compute_figures(measure, columns),
            self.compute_figures(measure, columns, 4),
            strict=True,
        ):
            assert one.value == pytest.approx(other.value, rel=1e-9, abs=1e-12), (
                f"'{one.name}' is {one.value} of one chunk and {other.value} of several: is it a "
                "mean of the chunks' means?"
            )

    def test_its_figures_are_described(self) -> None:
        """Tables show the titles, and files have the names."""
        figures = self.measure_pictures()
        assert figures, "it has no figures"
        names = [figure.name for figure in figures]
        assert len(set(names)) == len(names), f"several figures have one name: {names}"
        for figure in figures:
            name = figure.name
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), f"'{name}' is no name for files"
            assert figure.title.strip(), f"'{name}' has no title"
            assert figure.better in ("lower", "higher"), f"'{name}': better is '{figure.better}'"

    def test_its_figures_are_numbers(self) -> None:
        """And so are both ends of an interval, or neither."""
        for figure in self.measure_pictures():
            assert math.isfinite(figure.value), f"'{figure.name}' is {figure.value}"
            ends = (figure.low, figure.high)
            if ends != (None, None):
                assert None not in ends, f"'{figure.name}' has one end of an interval: {ends}"
                assert figure.low <= figure.high, f"'{figure.name}' has the interval {ends}"  # type: ignore[operator]

    def _measure_bare(self, measure: Measure, needs: frozenset[str]) -> None:
        """Measure pictures with nothing but `needs`."""
        pictures, features = self.make_pictures(), None
        if needs & {"features", "logits"}:
            features = draw_features(self.count, WIDTH, CLASSES)
            features = features if "logits" in needs else Features(features.vectors)
        bare = EvaluatedPictures(
            pictures.images,
            [{k: v for k, v in each.items() if k in needs} for each in pictures.samples],
            pictures.originals if "originals" in needs else None,
            features,
        )
        columns = {k: torch.as_tensor(v) for k, v in measure.record(bare).items()}
        if features is not None:
            columns |= {"features": features.vectors}
            columns |= {} if features.logits is None else {"logits": features.logits}
        reference = self.make_reference() if "reference" in needs else None
        measure.compute(MemoryRecords(columns, self.count, self.count), reference)

    @pytest.fixture
    def activity(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Activity:
        """What it does to the machine while it is built and used."""
        temporary = isolate_home(tmp_path, monkeypatch)
        with watch(temporary) as activity:
            self.measure_pictures()
        return activity
