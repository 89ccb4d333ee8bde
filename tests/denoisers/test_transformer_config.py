from typing import Any

import pytest
from pydantic import ValidationError

from latelier.denoisers.configs import TransformerConfig


def small_config(**options: Any) -> TransformerConfig:
    values = {"in_channels": 4, "out_channels": 4, "hidden_size": 16, "depth": 1, "num_heads": 2}
    return TransformerConfig.model_validate({**values, **options})


def test_it_declares_its_inputs_and_controls() -> None:
    config = small_config(
        patch_size=4, context_dim=8, streams={"text": {"width": 8}}, vectors={"size": 6}
    )
    assert config.size_multiple == 4
    assert config.latent_channels == 4
    obeyed = {
        "masks",
        "regions",
        "residuals",
        "perturbed_attention",
        "gradient_checkpointing",
        "adapters",
        "self_attention",
    }
    assert config.supports == obeyed
    assert list(config.inputs().streams) == ["text"]
    assert config.inputs().vectors == {"size": 6}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 18}, "hidden_size=18 must be a multiple of 4"),
        ({"num_heads": 3}, "num_heads=3 does not divide hidden_size=16"),
        ({"input_size": 30, "patch_size": 4}, "input_size=30 must be a multiple of patch_size=4"),
        ({"streams": {"text": {"width": 8}}}, r"streams \(text\) need a context_dim"),
        ({"native_vectors": ("label",)}, "names 'label', which is not among the vectors"),
        (
            {"vectors": {"label": 8}, "native_vectors": ("label",)},
            "'label' has width 8, but the timestep embedding has 16; leave it out",
        ),
        ({"mlp_ratio": 0}, "greater than 0"),
        ({"hiden_size": 4}, "Extra inputs are not permitted"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        small_config(**options)


def test_a_config_survives_json() -> None:
    config = small_config(vectors={"label": 16}, native_vectors=("label",), learn_sigma=True)
    assert TransformerConfig.model_validate_json(config.model_dump_json()) == config
