"""The conformance kit over every built-in first stage."""

from latelier import default_atelier
from latelier.testing import FirstStageContract


def test_every_first_stage_has_a_contract():
    specs = default_atelier().registries["first_stage"].specs()
    built_in = {spec.id for spec in specs if spec.distribution == "latelier"}
    assert built_in
    assert built_in <= {contract.component for contract in FirstStageContract.__subclasses__()}


class TestAutoencoderKL(FirstStageContract):
    component = "latelier/autoencoder_kl"
    config = {"ch": 8, "ch_mult": (1, 2), "num_res_blocks": 1, "num_groups": 4}


class TestAutoencoderKLWithFactorsOfChannels(FirstStageContract):
    component = "latelier/autoencoder_kl"
    config = {
        **TestAutoencoderKL.config,
        "scale_factor": (0.5, 1.0, 2.0, 3.0),
        "shift_factor": (0.1, 0.0, -0.5, 1.0),
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    }


class TestAutoencoderKLWithoutGroups(FirstStageContract):
    component = "latelier/autoencoder_kl"
    config = {**TestAutoencoderKL.config, "num_groups": None, "attn_type": "none"}


class TestAutoencoderKLWithConditionalDecoder(FirstStageContract):
    component = "latelier/autoencoder_kl"
    config = {
        **TestAutoencoderKL.config,
        "conditional_decoder": {"inputs": ("collage", "low_resolution"), "channels": 4},
    }


class TestAutoencoderVQ(FirstStageContract):
    component = "latelier/autoencoder_vq"
    config = {"ch": 8, "ch_mult": (1, 2), "num_groups": 4, "n_embed": 16}
    separately_trained = ("quantize.embedding.weight",)


class TestAutoencoderVQWithConditionalDecoder(FirstStageContract):
    component = "latelier/autoencoder_vq"
    config = {
        **TestAutoencoderVQ.config,
        "conditional_decoder": {"inputs": ("collage",), "channels": 4, "blocks": 1},
    }
    separately_trained = TestAutoencoderVQ.separately_trained


class TestIdentity(FirstStageContract):
    component = "latelier/identity"
    config = {"scale_factor": 0.5}
    max_error = 1e-6


class TestIdentityOfTwoChannels(FirstStageContract):
    component = "latelier/identity"
    config = {"channels": 2}
    channels = 2
    max_error = 0.0


class TestTiny(FirstStageContract):
    component = "latelier/tiny"
    config = {
        "encoder_block_out_channels": (8, 8),
        "decoder_block_out_channels": (8, 8),
        "num_encoder_blocks": (1, 2),
        "num_decoder_blocks": (2, 1),
    }


class TestTinyWithGroupNorms(FirstStageContract):
    component = "latelier/tiny"
    config = {**TestTiny.config, "use_midblock_gn": True}
