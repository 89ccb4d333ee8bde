"""Folders of pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def paint(tmp_path: Path) -> Callable[..., Path]:
    """Write pictures of random pixels into a folder, by name; return the folder."""

    def paint(folder: str, *names: str, size: tuple[int, int] = (16, 16), seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        for name in names:
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return tmp_path / folder

    return paint
