import pytest
from PIL import Image


@pytest.fixture
def draw(tmp_path):
    """Writes a plain picture below a folder and returns its path."""

    def write(name, size=(8, 6), color="red", **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, color).save(path, **options)
        return path

    return write
