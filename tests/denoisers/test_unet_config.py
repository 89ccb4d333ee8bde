from typing import Any

import pytest
from pydantic import ValidationError

from latelier.denoisers.configs import UNetConfig


def small_config(**options: Any) -> UNetConfig:
    values = {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 32,
        "channel_mult": (1, 2),
        "attention_resolutions": (2,),
        "num_heads": 4,
    }
    return UNetConfig.model_validate({**values, **options})


def test_it_declares_its_inputs_in_order() -> None:
    config = small_config(
        context_dim=8,
        streams={"text": {"width": 8, "injection": "native"}, "palette": {"width": 3}},
        spatial={"masked": 4, "mask": 1},
        vectors={"size": 6},
    )
    takes = config.inputs()
    assert list(takes.streams) == ["text", "palette"]
    assert takes.streams["palette"].injection == "named"
    assert list(takes.spatial.items()) == [("masked", 4), ("mask", 1)]
    assert takes.vectors == {"size": 6}
    assert config.latent_channels == 4
    obeyed = {
        "masks",
        "regions",
        "residuals",
        "perturbed_attention",
        "gradient_checkpointing",
        "adapters",
        "self_attention",
        "deep_branch",
    }
    assert config.supports == obeyed


def test_it_takes_latents_of_any_size() -> None:
    assert small_config(channel_mult=(1, 2, 2, 4, 4)).size_multiple == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": None}, "exactly one of num_heads and num_head_channels"),
        ({"num_head_channels": 8}, "exactly one of num_heads and num_head_channels"),
        ({"model_channels": 40}, "40 channels .* num_groups=32"),
        ({"num_heads": 5}, "level 1 has 64 channels, which num_heads=5 does not divide"),
        (
            {"num_heads": None, "num_head_channels": 24, "attention_resolutions": (1,)},
            "level 0 has 32 channels, which num_head_channels=24 does not divide",
        ),
        ({"streams": {"text": {"width": 8}}}, r"streams \(text\) need a context_dim"),
        ({"context_dim": 8}, "context_dim=8 needs at least one stream"),
        (
            {"context_dim": 8, "streams": {"text": {"width": 9, "injection": "native"}}},
            "native stream 'text' has width 9, but the context has context_dim=8",
        ),
        ({"vectors": {"a.b": 8}}, "invalid name 'a.b' of a condition"),
        ({"joint_vectors": ("size",)}, "joint_vectors names 'size', which is not among"),
        (
            {"vectors": {"size": 8}, "joint_vectors": ("size", "size")},
            "'size' must be listed once, in native_vectors or joint_vectors",
        ),
        (
            {
                "vectors": {"size": 128},
                "native_vectors": ("size",),
                "joint_vectors": ("size",),
            },
            "'size' must be listed once, in native_vectors or joint_vectors",
        ),
        (
            {"vectors": {"a": 65_000, "b": 1000}, "joint_vectors": ("a", "b")},
            "the width of all joint_vectors is 66000",
        ),
        ({"transformer_depth": -1}, "greater than or equal to 0"),
        ({"transformer_depth": (1, -1)}, "greater than or equal to 0"),
        ({"transformer_depth": (1, 2, 10)}, "has 3 numbers for the 2 levels of channel_mult"),
        (
            {"channel_mult": (1,) * 12, "num_res_blocks": 60, "transformer_depth": (2,) * 12},
            "1440 transformer blocks .* are more than 1024",
        ),
        ({"spatial": {"mask": 0}}, "greater than or equal to 1"),
        ({"channel_mult": ()}, "at least 1 item"),
        ({"dropout": 1.0}, "less than 1"),
        ({"channels_mult": (1,)}, "Extra inputs are not permitted"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        small_config(**options)


def test_the_depth_is_of_all_levels_or_of_each() -> None:
    assert [small_config(transformer_depth=3).depth(level) for level in (0, 1)] == [3, 3]
    assert [small_config(transformer_depth=(1, 10)).depth(level) for level in (0, 1)] == [1, 10]


def test_an_attention_at_an_unused_resolution_is_allowed() -> None:
    # the published semantic-synthesis model lists 32, 16 and 8, and has levels 1, 2 and 4
    config = small_config(attention_resolutions=(32, 16, 8))
    assert config.attention_resolutions == (32, 16, 8)


def test_a_config_survives_json() -> None:
    config = small_config(context_dim=8, streams={"text": {"width": 8, "injection": "native"}})
    assert UNetConfig.model_validate_json(config.model_dump_json()) == config
