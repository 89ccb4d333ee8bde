"""Results of a run, and a table of the paper."""

import pytest

from latelier.contracts.measures import Figure
from latelier.evaluation.published.table import PublishedColumn, PublishedRow, PublishedTable
from latelier.evaluation.report.results import MeasuredFigure, Results

SCENES = "scene detector of latelier (not Inception)"
INCEPTION = "Inception-v3 (FID, 2015-12-05)"


@pytest.fixture
def results() -> Results:
    distance = Figure(
        "frechet_distance", "Fréchet distance", 12.3456, "lower", 12.0, 12.75, count=5000
    )
    ratio = Figure("psnr", "PSNR", 24.0, "higher", unit="dB", note="of 8 bits")
    return Results(
        title="Super-resolution",
        model="emoji-scenes",
        task="super_resolution",
        pictures=5000,
        reference="emoji scenes (10,000 pictures)",
        figures=[
            MeasuredFigure("frechet_distance", distance, SCENES),
            MeasuredFigure("psnr", ratio),
        ],
        size=(256, 256),
        provenance={"seed": 7},
    )


@pytest.fixture
def published() -> PublishedTable:
    return PublishedTable(
        title="Pictures of something",
        protocol="all of them",
        size=256,
        columns={
            "frechet_distance": PublishedColumn(title="FID", better="lower", network=INCEPTION),
            "psnr": PublishedColumn(title="PSNR", better="higher", unit="dB"),
        },
        rows=(
            PublishedRow(model="LDM-4", setting="100 steps", values={"frechet_distance": 2.8}),
            PublishedRow(model="SR3", values={"psnr": 26.4}, note="by its authors"),
        ),
        notes=("The repository says something else.",),
    )
