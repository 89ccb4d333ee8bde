"""What the models of the study have in common: scenes, steps and pictures."""

import json
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from latelier.io.atomic import write_json

SCENES: dict[str, Any] = {"size": 64, "vocabulary": "basic", "part": "held_out"}
"""Scenes of one object. That part of the vocabulary is every 16th drawing: 32 classes."""

CLASSES = 512
"""Numbers that classes have in the vocabulary."""

TRAINING_SEED, REFERENCE_SEED, TEST_SEED = 11, 7_600_000, 7_700_000
"""Seeds of the scenes to train on, to compare with, and to reconstruct."""

SAMPLING_STEPS = (4, 8, 16, 32, 64)
"""Steps of DDIM in Figure 7; the paper has 10 to 200."""

PROGRESS_STEPS = 16
"""Steps of DDIM in Figure 6, and of every sample sheet; the paper has 100."""

MEASURED = (1, 2, 3, 4, 6, 8, 12, 16)
"""The sixteenths of the training after which Figure 6 has a point."""

KEPT = 8
"""Pictures of each set that are kept as files."""


@dataclass(frozen=True)
class Study:
    """The size of the study.

    Attributes:
        out: Folder of everything that it writes.
        first_stage_steps: Of every first stage.
        denoiser_steps: Of every denoiser.
        scenes: That denoisers train on; their latents are stored.
        pictures: That are generated for each point of a figure.
        reference: Real scenes that pictures are compared with.
    """

    out: Path
    first_stage_steps: int = 10_000
    denoiser_steps: int = 10_000
    scenes: int = 40_000
    pictures: int = 1000
    reference: int = 5000

    def rehearse(self, share: float) -> Self:
        """Return the study with a share of its steps, scenes and pictures."""
        take = partial(_take, share=share)
        return replace(
            self,
            first_stage_steps=take(self.first_stage_steps),
            denoiser_steps=take(self.denoiser_steps),
            scenes=take(self.scenes),
            pictures=take(self.pictures),
            reference=take(self.reference),
        )


def _take(count: int, share: float) -> int:
    """Return a share of a number, at least 16: fewer steps could not have all measured ones."""
    return max(16, round(share * count))


_FILE = "study.json"


def open_study(study: Study) -> None:
    """Make the folder of a study.

    Raises:
        SystemExit: it holds a study of another size.
    """
    if (study.out / _FILE).exists():
        if (former := read_study(study.out)) != study:
            raise SystemExit(f"{study.out} holds another study: {former}; name another --out")
        return
    study.out.mkdir(parents=True, exist_ok=True)
    write_json(study.out / _FILE, {k: v for k, v in asdict(study).items() if k != "out"})


def read_study(out: Path) -> Study:
    """Return the study in a folder."""
    return Study(out, **json.loads((out / _FILE).read_text()))
