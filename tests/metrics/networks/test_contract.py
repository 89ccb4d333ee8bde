"""The conformance kit over the feature networks of the core."""

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from latelier.testing import FeatureNetworkContract


class TestScenes(FeatureNetworkContract):
    component = "latelier/scenes"
    others = ({"size": 64}, {"size": 128})


class TestInception(FeatureNetworkContract):
    component = "latelier/inception"

    @pytest.fixture(autouse=True)
    def random_weights(self, inception_file: Any, tmp_path_factory: Any) -> None:
        path = tmp_path_factory.getbasetemp() / "inception.safetensors"
        if not path.exists():
            save_file(torch.load(inception_file, weights_only=True), path)
        self.config = {"weights": str(path)}
        self.others = ({**self.config, "resize": "bicubic_antialias"},)
