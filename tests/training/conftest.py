"""A model that adapters, LoRAs and distillations are trained on."""

from pathlib import Path

import pytest
import torch

from latelier import Pipeline, compose


@pytest.fixture(scope="module")
def base(tiny: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny pipeline, with a text that takes the captions of the data."""
    text = {"width": 16, "layers": 1, "heads": 2, "max_length": 128}
    with torch.random.fork_rng():
        torch.manual_seed(0)  # of the weights of the new text
        pipeline = compose(
            first_stage=tiny.first_stage_component,
            denoiser=tiny.denoiser_component,
            conditioners={"text": ("text", text), "label": tiny.conditioner_components["label"]},
            inputs=tiny.inputs,
            process=tiny.process,
            defaults=tiny.defaults,
            device="cpu",
            atelier=tiny.atelier,
        )
    pipeline.conditioner_components["text"].module.fit(["a red cat", "a blue dog on a sea"] * 20)
    folder = tmp_path_factory.mktemp("base")
    pipeline.save(folder)
    return folder
