"""The conformance kit over every built-in denoiser."""

from latelier import default_atelier
from latelier.testing import DenoiserContract

CONDITIONS = {
    "context_dim": 16,
    "streams": {
        "text": {"width": 16, "injection": "native"},
        "layout": {"width": 6, "injection": "named"},
    },
    "spatial": {"mask": 2},
    "vectors": {"label": 5},
}


def test_every_denoiser_has_a_contract():
    specs = default_atelier().registries["denoiser"].specs()
    built_in = {spec.id for spec in specs if spec.distribution == "latelier"}
    assert built_in
    assert built_in <= {contract.component for contract in DenoiserContract.__subclasses__()}


class TestUNet(DenoiserContract):
    component = "latelier/unet"
    config = {
        "in_channels": 4,
        "out_channels": 4,
        "model_channels": 16,
        "channel_mult": (1, 2),
        "num_res_blocks": 1,
        "attention_resolutions": (1, 2),
        "num_heads": 2,
        "num_groups": 4,
        **CONDITIONS,
    }


class TestUNetOfOddSizes(TestUNet):
    size = (7, 5)


class TestUNetWithoutConditions(TestUNet):
    config = {name: value for name, value in TestUNet.config.items() if name not in CONDITIONS}


class TestUNetWithJointVectors(TestUNet):
    config = {
        **TestUNet.config,
        "transformer_depth": (1, 2),
        "vectors": {"label": 5, "size": 6, "other": 4},
        "joint_vectors": ("size", "label"),
    }


class TestTransformer(DenoiserContract):
    component = "latelier/transformer"
    config = {
        "in_channels": 4,
        "out_channels": 4,
        "input_size": 8,
        "hidden_size": 16,
        "depth": 2,
        "num_heads": 2,
        **CONDITIONS,
    }


class TestUViT(DenoiserContract):
    component = "latelier/uvit"
    config = {
        "in_channels": 4,
        "out_channels": 4,
        "input_size": 8,
        "model_channels": 8,
        "num_groups": 4,
        "hidden_size": 16,
        "depth": 2,
        "num_heads": 2,
        **CONDITIONS,
        "streams": {"text": {"width": 16}, "layout": {"width": 6}},
    }
