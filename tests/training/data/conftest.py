import pytest
from PIL import Image

from latelier.training.configs.first_stage import FirstStageTraining


@pytest.fixture
def pictures(tmp_path):
    """A folder of 20 pictures, 24 x 16, each of its own grey, with captions."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(20):
        Image.new("RGB", (24, 16), (10 * number,) * 3).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(f"picture {number}\n")
    return folder


@pytest.fixture
def training(tmp_path):
    """Makes the configuration of a training on given data."""

    def make(steps=10, batch_size=4, **data):
        given = {"out": tmp_path / "run", "steps": steps, "batch_size": batch_size, "data": data}
        given["first_stage"] = {"id": "autoencoder_kl"}
        return FirstStageTraining.model_validate(given)

    return make
