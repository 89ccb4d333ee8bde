"""Plugin entry point of the built-in conditioners."""

from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar


class BuiltinConditioners:
    """Registers the built-in conditioners."""

    @hookimpl
    def latelier_register(self, registrar: Registrar) -> None:
        registrar.conditioner(
            "text",
            factory="latelier_conditioners.text.conditioner:TextConditioner",
            config="latelier_conditioners.text.inputs:TextConfig",
            input="latelier_conditioners.text.inputs:Text",
        )
        registrar.conditioner(
            "class_label",
            factory="latelier_conditioners.class_label.conditioner:ClassLabelConditioner",
            config="latelier_conditioners.class_label.inputs:ClassLabelConfig",
            input="latelier_conditioners.class_label.inputs:ClassLabel",
        )
        registrar.conditioner(
            "bert_text",
            factory="latelier_conditioners.bert_text.conditioner:BertTextConditioner",
            config="latelier_conditioners.bert_text.inputs:BertTextConfig",
            input="latelier_conditioners.text.inputs:Text",
        )
        registrar.conditioner(
            "layout",
            factory="latelier_conditioners.layout.conditioner:LayoutConditioner",
            config="latelier_conditioners.layout.inputs:LayoutConfig",
            input="latelier_conditioners.layout.inputs:Layout",
        )
        registrar.conditioner(
            "layout_fourier",
            factory="latelier_conditioners.layout_fourier.conditioner:LayoutFourierConditioner",
            config="latelier_conditioners.layout_fourier.inputs:LayoutFourierConfig",
            input="latelier_conditioners.layout.inputs:Layout",
        )
        registrar.conditioner(
            "embedding",
            factory="latelier_conditioners.embedding.conditioner:EmbeddingConditioner",
            config="latelier_conditioners.embedding.inputs:EmbeddingConfig",
            input="latelier_conditioners.embedding.inputs:Embedding",
        )
        registrar.conditioner(
            "picture_size",
            factory="latelier_conditioners.picture_size.conditioner:PictureSizeConditioner",
            config="latelier_conditioners.picture_size.inputs:PictureSizeConfig",
            input="latelier_conditioners.picture_size.inputs:PictureSize",
        )
        registrar.conditioner(
            "semantic_map",
            factory="latelier_conditioners.semantic_map.conditioner:SemanticMapConditioner",
            config="latelier_conditioners.semantic_map.inputs:SemanticMapConfig",
            input="latelier_conditioners.semantic_map.inputs:SemanticMapInput",
        )
        registrar.conditioner(
            "mask",
            factory="latelier_conditioners.mask.conditioner:MaskConditioner",
            config="latelier_conditioners.mask.inputs:MaskConfig",
            input="latelier_conditioners.mask.inputs:Inpainting",
        )
        registrar.conditioner(
            "image",
            factory="latelier_conditioners.image.conditioner:ImageConditioner",
            config="latelier_conditioners.image.inputs:ImageConfig",
            input="latelier_conditioners.image.inputs:LowResolution",
        )
        registrar.conditioner(
            "hint",
            factory="latelier_conditioners.hint.conditioner:HintConditioner",
            config="latelier_conditioners.hint.inputs:HintConfig",
            input="latelier_conditioners.hint.inputs:Hint",
        )
        registrar.conditioner(
            "references",
            factory="latelier_conditioners.references.conditioner:ReferencesConditioner",
            config="latelier_conditioners.references.inputs:ReferencesConfig",
            input="latelier_conditioners.references.inputs:References",
        )
        registrar.conditioner(
            "collage",
            factory="latelier_conditioners.collage.conditioner:CollageConditioner",
            config="latelier_conditioners.collage.inputs:CollageConfig",
            input="latelier_conditioners.collage.inputs:Collage",
        )


plugin = BuiltinConditioners()
