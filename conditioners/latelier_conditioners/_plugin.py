"""The door through which the built-in conditioners come in."""

from latelier.kernel.hookspecs import hookimpl
from latelier.kernel.registrar import Registrar


class BuiltinConditioners:
    """Registers text and class labels."""

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


plugin = BuiltinConditioners()
