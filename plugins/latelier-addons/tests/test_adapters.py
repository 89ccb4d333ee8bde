"""What every residual adapter keeps to, by the conformance kit."""

import pytest
from latelier.contracts.errors import InvalidConfigError
from latelier.testing import ResidualAdapterContract

UNET = {
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 8,
    "channel_mult": (1, 2),
    "num_res_blocks": 1,
    "attention_resolutions": (2,),
    "num_heads": 2,
    "num_groups": 4,
    "context_dim": 6,
    "streams": {"text": {"width": 6, "injection": "native"}},
}


class _Residuals(ResidualAdapterContract):
    @pytest.fixture(autouse=True)
    def plugins(self, atelier):
        self.plugins = atelier

    def atelier(self):
        return self.plugins


class TestControlNet(_Residuals):
    component = "latelier-addons/controlnet"
    config = {"encoder": UNET, "hint_widths": (2, 2, 4, 4)}
    streams = {"text": 6}


class TestControlNetOfOddSizes(TestControlNet):
    size = (5, 7)


class TestUnion(_Residuals):
    component = "latelier-addons/controlnet"
    config = {
        "encoder": {**UNET, "vectors": {"text": 5}, "joint_vectors": ("text",)},
        "hint_widths": (2, 2, 4, 4),
        "global_pooling": True,
        "union": {"types": 3, "type": 2, "heads": 2, "embedding": 4},
    }
    streams = {"text": 6}
    vectors = {"text": 5}


@pytest.mark.parametrize(
    ("union", "match"),
    [
        ({"types": 3, "type": 3}, "type=3 is none of the 3 control types"),
        ({"types": 3, "type": 0, "heads": 3}, "heads=3 does not divide 8 channels"),
    ],
)
def test_impossible_unions_are_refused(atelier, union, match):
    config = {"encoder": UNET, "union": union}
    with pytest.raises(InvalidConfigError, match=match):
        atelier.adapter_kinds.validate_config("latelier-addons/controlnet", config)


class TestT2IAdapter(_Residuals):
    component = "latelier-addons/t2i_adapter"
    config = {"widths": (8, 8, 12, 12), "num_res_blocks": 1}


class TestLightT2IAdapter(_Residuals):
    component = "latelier-addons/t2i_adapter"
    config = {"variant": "light", "widths": (8, 8, 12, 12), "colors": 1}


class TestT2IAdapterOfSDXL(_Residuals):
    component = "latelier-addons/t2i_adapter"
    config = {"variant": "full_xl", "widths": (8, 8, 12, 12), "num_res_blocks": 1}


class TestT2IAdapterOfSDXLAtOddSizes(TestT2IAdapterOfSDXL):
    size = (7, 9)
