"""A sheet with pictures of all models, to be judged by eye."""

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.tradeoff.configs import configure_denoiser
from benchmarks.tradeoff.evaluations import (
    configure_pictures,
    configure_real,
    list_points,
    results_file,
)
from benchmarks.tradeoff.models import MODELS
from benchmarks.tradeoff.study import KEPT, MEASURED, Study
from latelier.data.contact_sheet import draw_contact_sheet
from latelier.evaluation.run.folder import PICTURES
from latelier.io.atomic import atomic_file


def draw_samples(study: Study, path: Path) -> None:
    """Draw a row of real scenes, and one of the same classes of each model at its end."""
    pictures, captions = [], []
    for title, folder in _list_rows(study):
        files = sorted((folder / PICTURES).glob("*.png"))
        pictures += [Image.open(file) for file in files]
        captions += [title, *[""] * (len(files) - 1)]
    sheet = draw_contact_sheet(pictures, captions, columns=KEPT)
    with atomic_file(path) as partial:
        sheet.save(partial, "WEBP", quality=90)


def _list_rows(study: Study) -> Iterator[tuple[str, Path]]:
    """Yield the titles of rows, and the folders of evaluations with their pictures."""
    yield "real scenes", configure_real(study).out
    for model in MODELS:
        if (configure_denoiser(study, model).out / "result").exists():
            step, steps = list_points(study, model, MEASURED)[-1]
            config = configure_pictures(study, model, step, steps)
            if results_file(config).exists():
                yield model.name.upper(), config.out
