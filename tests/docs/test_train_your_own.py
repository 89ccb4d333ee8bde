"""docs/train-your-own.md works as it is written, with a few steps instead of hundreds.

LATELIER_WHOLE_PAGE=1 trains as many steps as the page says.
"""

import os
import re
import shlex
from pathlib import Path

import pytest
import yaml
from PIL import Image

PAGE = (Path(__file__).parents[2] / "docs" / "train-your-own.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
FEW = {
    "steps": 2, "batch_size": 2, "schedule": {"kind": "wsd", "warmup": 1}, "sheet_weights": ["raw"],
    "accelerator": "cpu",
}  # fmt: skip


def run_console(cli, block):
    """Run the commands of a block, and compare what each prints with the line below it."""
    lines = block.splitlines()
    for line, following in zip(lines, [*lines[1:], "$"]):
        if line.startswith("$ latelier"):
            done = cli(*shlex.split(line)[2:])
            assert done.status == 0, done
            if not following.startswith("$"):
                assert done.out.strip() == following


def shorten(block):
    if os.environ.get("LATELIER_WHOLE_PAGE"):
        return block
    fields = yaml.safe_load(block) | FEW
    few = {"measured_images": 16} if "decoder_only" in fields else {"validation": {"samples": 2}}
    return yaml.safe_dump(fields | few)


@pytest.fixture
def page_folder(cli, tmp_path):
    """An empty folder after all blocks of the page, in their order."""
    names = iter(["first-stage.yaml", "denoiser.yaml"])
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block, "docs/train-your-own.md", "exec"), {"__name__": "__main__"})
        elif language == "yaml":
            Path(next(names)).write_text(shorten(block))
        else:
            run_console(cli, block)
    return tmp_path


def test_the_page_leads_from_pictures_to_pictures(page_folder):
    assert len(list((page_folder / "pictures").glob("*.png"))) == 200
    for name in ("0.png", "1.png", "house.png", "boats.png", "sheet.png"):
        assert Image.open(page_folder / name).width >= 64, name
    assert PAGE.index("`first-stage.yaml`") < PAGE.index("`denoiser.yaml`")
