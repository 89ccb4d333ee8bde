"""docs/evaluation.md names what there is, and its commands work."""

import re
from pathlib import Path

import pytest
from PIL import Image

from latelier.evaluation.protocol.config import EvaluationConfig, read_evaluation
from latelier.kernel.default import default_atelier

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
CONFIGS = ROOT / "configs" / "evaluation"


def rows_of(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_all_protocols_are_listed_with_their_model_and_tables():
    listed = rows_of("Protocols")
    assert [cells[0].strip("`") for cells in listed] == [
        "unconditional.yaml", "text.yaml", "class.yaml", "layout.yaml", "super-resolution.yaml",
        "inpainting.yaml", "first-stage.yaml",
    ]  # fmt: skip
    for name, _, tables, model in listed:
        config = read_evaluation(CONFIGS / name.strip("`"))
        assert config.model == {"embedded": "emoji-scenes"}.get(model, model.strip("`"))
        numbers = {f"table-{int(each):02}" for each in tables.split(", ")}
        assert set(config.published) <= numbers


def test_all_measures_and_networks_are_listed():
    measures = {
        name for row in rows_of("What the numbers mean") for name in re.findall("`(.+?)`", row[0])
    }
    assert measures == {*default_atelier().measures.names(), "clip_score"}
    networks = {row[0].split()[0].strip("`") for row in rows_of("Which network")}
    assert networks == {*default_atelier().feature_networks.names(), "clip", "dinov2"}


def test_every_field_that_is_set_exists():
    changes = re.findall(r"--set '?(\w+)[=.]", PAGE)
    assert changes
    assert {*changes} <= {*EvaluationConfig.model_fields, "FIELD"}


@pytest.mark.parametrize(
    "options", [("--originals", "photos"), ("--reference", "stored.safetensors")]
)
def test_pictures_made_elsewhere_are_measured(cli, tmp_path, options):
    for folder in ("made", "photos"):
        (tmp_path / folder).mkdir()
        for k in range(8):
            Image.new("RGB", (32, 32), (30 * k, 0, len(folder))).save(
                tmp_path / folder / f"{k}.png"
            )
    assert cli("evaluate", "reference", "photos", "-o", "stored.safetensors").status == 0
    done = cli("evaluate", "pictures", "made", *options)
    assert done.status == 0, done.err
    assert "| value | 95 % interval |" in done.out
