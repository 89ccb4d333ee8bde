"""A model, a network and measures that are small and fast."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from latelier.contracts.errors import InvalidInputError
from latelier.contracts.features import Features
from latelier.contracts.frozen import Frozen, validate
from latelier.contracts.measures import EvaluatedPictures, Figure, Records, Reference
from latelier.evaluation.protocol.config import EvaluationConfig
from latelier.evaluation.run.evaluation import Evaluation, prepare_evaluation
from latelier.evaluation.run.recording import Resources
from latelier.kernel.atelier import Atelier
from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar
from latelier.kernel.trust.policy import Policy

_MEASURES = ("Difference", "Shift", "Logits", "Threads", "Broken", "Failing", "Recording")


class ToyConfig(Frozen):
    """No options but the version of the network."""

    version: int = 1


class ToyNetwork:
    """Mean and deviation of each channel."""

    name = "toy"
    width = 6

    def __init__(self, config: ToyConfig) -> None:
        self.identity = f"toy {config.version}"

    def __call__(self, images: Tensor) -> Features:
        levels = images.float().flatten(2) / 255
        return Features(torch.cat([levels.mean(2), levels.std(2)], 1))


class Difference:
    """The mean difference to the original."""

    needs = frozenset({"originals"})

    def __init__(self, config: ToyConfig) -> None:
        """Create the measure."""

    def record(self, pictures: EvaluatedPictures) -> Mapping[str, Tensor]:
        assert pictures.originals is not None
        return {
            "difference": (pictures.images.float() - pictures.originals.float()).mean((1, 2, 3))
        }

    def compute(self, records: Records, reference: Reference | None) -> Sequence[Figure]:
        assert reference is None
        value = float(records.column("difference").double().abs().mean())
        return [Figure("difference", "Difference", value, "lower")]


class Shift(Difference):
    """The distance of the mean features from those of the reference."""

    needs = frozenset({"features", "reference"})

    def record(self, pictures: EvaluatedPictures) -> Mapping[str, Tensor]:
        assert pictures.features is not None
        return {}

    def compute(self, records: Records, reference: Reference | None) -> Sequence[Figure]:
        assert reference is not None
        mean = records.column("features").double().mean(0)
        value = float((mean - reference.statistics.mean).norm())
        return [Figure("shift", "Shift", value, "lower")]


class Logits(Shift):
    """Needs the logits of a network."""

    needs = frozenset({"logits"})


class Threads(Difference):
    """The threads that records and figures are computed with."""

    needs = frozenset()

    def record(self, pictures: EvaluatedPictures) -> Mapping[str, Tensor]:
        return {"threads": torch.full((len(pictures.images),), torch.get_num_threads())}

    def compute(self, records: Records, reference: Reference | None) -> Sequence[Figure]:
        recorded = records.column("threads").unique().tolist()
        return [
            Figure(f"{where}-threads", "", threads, "lower")
            for where, threads in (("recorded", *recorded), ("computed", torch.get_num_threads()))
        ]


class Broken(Difference):
    """Records a row for the whole batch."""

    needs = frozenset()

    def record(self, pictures: EvaluatedPictures) -> Mapping[str, Tensor]:
        return {"mean": pictures.images.float().mean((1, 2, 3))[:1]}


class Failing(Shift):
    """Has too few pictures, however many there are."""

    def compute(self, records: Records, reference: Reference | None) -> Sequence[Figure]:
        raise InvalidInputError("expected more pictures")


class Recording(Shift):
    """Records a column that it could compute from the features."""

    def record(self, pictures: EvaluatedPictures) -> Mapping[str, Tensor]:
        return {"mean": pictures.images.float().mean((1, 2, 3))}


class Toys:
    """Registers them."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        config = f"{__name__}:ToyConfig"
        registrar.feature_network("toy", factory=f"{__name__}:ToyNetwork", config=config)
        for name in _MEASURES:
            registrar.measure(name.lower(), factory=f"{__name__}:{name}", config=config)


@pytest.fixture(scope="session")
def toys() -> Atelier:
    """The built-in plugins, and small components."""
    atelier = Atelier(policy=Policy(allow=frozenset()))
    atelier.register(Toys(), "toys", "1")
    return atelier


@pytest.fixture
def resources(toys: Atelier) -> Resources:
    """What computes evaluations in this process."""
    return Resources(atelier=toys)


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., EvaluationConfig]:
    """Return an evaluation of 11 scenes in chunks of 4 and batches of 3."""

    def configure(**fields: Any) -> EvaluationConfig:
        values = {
            "out": tmp_path / "run",
            "task": "originals",
            "data": {"config": {"size": 32}},
            "pictures": 11,
            "batch_size": 3,
            "chunk_size": 4,
            "network": "toy",
            "reference": {"pictures": 6},
            "measures": ["difference", "shift"],
            **fields,
        }
        return validate(EvaluationConfig, values, "test")

    return configure


@pytest.fixture
def paint_folder(tmp_path: Path) -> Callable[[int], Path]:
    """Write black pictures into a folder."""

    def paint_folder(count: int) -> Path:
        (tmp_path / "data").mkdir()
        for k in range(count):
            Image.new("RGB", (32, 32)).save(tmp_path / "data" / f"{k}.png")
        return tmp_path / "data"

    return paint_folder


@pytest.fixture
def prepare(toys: Atelier, configure: Callable[..., EvaluationConfig]) -> Callable[..., Evaluation]:
    """Prepare an evaluation with some other fields."""
    return lambda **fields: prepare_evaluation(configure(**fields), toys)
