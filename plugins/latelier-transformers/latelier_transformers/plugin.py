"""Plugin entry point."""

from latelier import hookimpl
from latelier.kernel.registrar import Registrar


class TransformersPlugin:
    """Registers the text encoders, CLIP and DINOv2 as feature networks, and the CLIP score."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        registrar.conditioner(
            "clip_text",
            factory="latelier_transformers.clip_text.conditioner:ClipTextConditioner",
            config="latelier_transformers.clip_text.inputs:ClipTextConfig",
            input="latelier_conditioners.text.inputs:Text",
        )
        registrar.conditioner(
            "clip_pair_text",
            factory="latelier_transformers.clip_pair_text.conditioner:ClipPairTextConditioner",
            config="latelier_transformers.clip_pair_text.inputs:ClipPairTextConfig",
            input="latelier_conditioners.text.inputs:Text",
        )
        registrar.conditioner(
            "t5_text",
            factory="latelier_transformers.t5_text.conditioner:T5TextConditioner",
            config="latelier_transformers.t5_text.inputs:T5TextConfig",
            input="latelier_conditioners.text.inputs:Text",
        )
        registrar.adapter_kind(
            "textual_inversion",
            factory="latelier_transformers.textual_inversion.adapter:TextualInversion",
            config="latelier_transformers.textual_inversion.config:TextualInversionConfig",
        )
        registrar.feature_network(
            "clip",
            factory="latelier_transformers.clip_features.network:ClipFeatures",
            config="latelier_transformers.clip_features.configs:ClipFeaturesConfig",
            summary="Compares pictures by what CLIP sees in them.",
        )
        registrar.feature_network(
            "dinov2",
            factory="latelier_transformers.dinov2_features.network:Dinov2Features",
            config="latelier_transformers.dinov2_features.configs:Dinov2FeaturesConfig",
            summary="Compares pictures by what DINOv2 sees in them.",
        )
        registrar.measure(
            "clip_score",
            factory="latelier_transformers.clip_features.score:ClipScore",
            config="latelier_transformers.clip_features.configs:ClipScoreConfig",
            summary="How well pictures fit their prompts.",
        )


plugin = TransformersPlugin()
