"""The conformance kit over the network and the measure."""

from typing import Any

import pytest
from latelier import Atelier
from latelier.testing import FeatureNetworkContract, MeasureContract


@pytest.fixture(autouse=True)
def with_small_clip(request: Any, folder: Any, atelier: Atelier) -> None:
    if request.instance is not None:
        request.instance.config = {"weights": str(folder)}
        request.instance.atelier = lambda: atelier


class TestClip(FeatureNetworkContract):
    component = "latelier-transformers/clip"


class TestClipScore(MeasureContract):
    component = "latelier-transformers/clip_score"
    samples = ({"prompt": "a red cat"}, {"prompt": "the white dog in a meadow"})
