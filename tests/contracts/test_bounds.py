"""Whole numbers of configurations have bounds, so that a wrong one is refused quickly."""

from collections.abc import Iterator
from typing import Any

import pytest

from latelier import default_atelier
from latelier.contracts.configs import InputSpec, OutputSpec
from latelier.contracts.errors import InvalidConfigError
from latelier.contracts.frozen import validate
from latelier.denoisers.configs import AttentionAdapterConfig, TransformerConfig, UNetConfig
from latelier.diffusion.processes.edm import EDM
from latelier.diffusion.processes.rectified_flow import RectifiedFlow
from latelier.diffusion.processes.vp import VP
from latelier.first_stages.configs import AutoencoderKLConfig
from latelier.kernel.spec import Kind, resolve
from latelier.pipeline.request import Defaults

KINDS: tuple[Kind, ...] = ("first_stage", "denoiser", "conditioner")
REGISTERED = [
    resolve(str(spec.config), spec.id)
    for registry in map(default_atelier().registries.__getitem__, KINDS)
    for spec in map(registry.spec, registry.names())
]
CONFIGS = [
    *REGISTERED,
    AttentionAdapterConfig,
    VP,
    EDM,
    RectifiedFlow,
    InputSpec,
    OutputSpec,
    Defaults,
]

UPPER = {"maximum", "exclusiveMaximum", "enum", "const"}
LOWER = {"minimum", "exclusiveMinimum", "enum", "const"}


def unbounded(schema: dict[str, Any], all_schemas: dict[str, Any], path: str) -> Iterator[str]:
    """Yield the paths of integers, and of arrays of integers, without bounds."""
    schema = all_schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if schema.get("type") == "integer" and not (UPPER & schema.keys() and LOWER & schema.keys()):
        yield path
    items = schema.get("items", {})
    if items.get("type") == "integer" and "maxItems" not in schema:
        yield f"{path}[]"
    inner = [("[]", items), ("{}", schema.get("additionalProperties") or {})]
    inner += [(f".{name}", each) for name, each in schema.get("properties", {}).items()]
    inner += [("", each) for key in ("anyOf", "oneOf", "allOf") for each in schema.get(key, ())]
    for name, each in inner:
        if each and isinstance(each, dict):
            yield from unbounded(each, all_schemas, path + name)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.__name__)
def test_every_integer_of_a_configuration_has_bounds(config):
    schema = config.model_json_schema()
    assert list(unbounded(schema, schema.get("$defs", {}), "")) == []


UNET = {"in_channels": 4, "out_channels": 4, "model_channels": 32, "channel_mult": (1, 2)}
UNET |= {"num_heads": 1}
DIT = {"in_channels": 4, "out_channels": 4, "hidden_size": 64, "depth": 2, "num_heads": 4}


@pytest.mark.parametrize(
    ("config", "values", "field"),
    [
        (UNetConfig, UNET | {"num_res_blocks": 10**9}, "num_res_blocks"),
        (UNetConfig, UNET | {"model_channels": 10**7}, "model_channels"),
        (UNetConfig, UNET | {"channel_mult": ()}, "channel_mult"),
        (UNetConfig, UNET | {"channel_mult": (1,) * 40}, "channel_mult"),
        (UNetConfig, UNET | {"channel_mult": (1, 60_000)}, "model_channels times channel_mult"),
        (UNetConfig, UNET | {"num_heads": 3}, "num_heads"),
        (UNetConfig, UNET | {"num_heads": 0}, "num_heads"),
        (
            UNetConfig,
            UNET | {"num_res_blocks": 64, "transformer_depth": 64},
            "transformer blocks",
        ),
        (TransformerConfig, DIT | {"depth": 10**9}, "depth"),
        (TransformerConfig, DIT | {"hidden_size": 2**30}, "hidden_size"),
        (TransformerConfig, DIT | {"mlp_ratio": 1e9}, "mlp_ratio"),
        (TransformerConfig, DIT | {"input_size": 10**9}, "input_size"),
        (AutoencoderKLConfig, {"ch": 32, "ch_mult": (1, 2**14)}, "ch times ch_mult"),
        (AutoencoderKLConfig, {"ch_mult": ()}, "ch_mult"),
        (AutoencoderKLConfig, {"resolution": 10**9}, "resolution"),
        (VP, {"steps": 10**9}, "steps"),
        (RectifiedFlow, {"steps": 10**12}, "steps"),
        *[(Defaults, {"size": size}, "size") for size in (0, -8, 10**9, (64, 10**9))],
        *[(Defaults, {"size": 64, "steps": steps}, "steps") for steps in (0, 10**9)],
    ],
)
def test_absurd_sizes_are_refused(config, values, field):
    with pytest.raises(InvalidConfigError, match=field):
        validate(config, values, "config")
