"""The door through which the built-in conditioners come in."""

from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar


class BuiltinConditioners:
    """Registers what pictures are conditioned on."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        """Register the conditioners of this distribution."""
        registrar.conditioner(
            "text",
            factory="latelier_conditioners.text:TextConditioner",
            config="latelier_conditioners.text_inputs:TextConfig",
            input="latelier_conditioners.text_inputs:Text",
        )
        registrar.conditioner(
            "class_label",
            factory="latelier_conditioners.class_label:ClassLabelConditioner",
            config="latelier_conditioners.class_label_inputs:ClassLabelConfig",
            input="latelier_conditioners.class_label_inputs:ClassLabel",
        )
        registrar.conditioner(
            "bert_text",
            factory="latelier_conditioners.bert_text:BertTextConditioner",
            config="latelier_conditioners.bert_text_inputs:BertTextConfig",
            input="latelier_conditioners.text_inputs:Text",
        )
        registrar.conditioner(
            "layout",
            factory="latelier_conditioners.layout:LayoutConditioner",
            config="latelier_conditioners.layout_inputs:LayoutConfig",
            input="latelier_conditioners.layout_inputs:Layout",
        )
        registrar.conditioner(
            "layout_fourier",
            factory="latelier_conditioners.layout_fourier:LayoutFourierConditioner",
            config="latelier_conditioners.layout_inputs:LayoutFourierConfig",
            input="latelier_conditioners.layout_inputs:Layout",
        )
        registrar.conditioner(
            "embedding",
            factory="latelier_conditioners.embedding:EmbeddingConditioner",
            config="latelier_conditioners.embedding_inputs:EmbeddingConfig",
            input="latelier_conditioners.embedding_inputs:Embedding",
        )
        registrar.conditioner(
            "semantic_map",
            factory="latelier_conditioners.semantic_map:SemanticMapConditioner",
            config="latelier_conditioners.semantic_map_inputs:SemanticMapConfig",
            input="latelier_conditioners.semantic_map_inputs:Semantics",
        )
        registrar.conditioner(
            "mask",
            factory="latelier_conditioners.mask:MaskConditioner",
            config="latelier_conditioners.mask_inputs:MaskConfig",
            input="latelier_conditioners.mask_inputs:Inpainting",
        )
        registrar.conditioner(
            "image",
            factory="latelier_conditioners.image:ImageConditioner",
            config="latelier_conditioners.image_inputs:ImageConfig",
            input="latelier_conditioners.image_inputs:LowResolution",
        )


plugin = BuiltinConditioners()
