"""Reads published T2I-Adapters."""

from latelier.checkpoints.importers.fit import IGNORE_LEFTOVERS
from latelier.contracts.errors import ModelFileError
from latelier.contracts.frozen import validate
from latelier.contracts.importing import Imported, ImportedPart, ImportSource

from latelier_addons.published import is_of_class, read_name, read_tensors
from latelier_addons.t2i_adapter.config import HINT_PATCH, T2IAdapterConfig
from latelier_addons.t2i_adapter.layout import config_from_shapes, is_t2i_adapter, rename

T2I_ADAPTER = "latelier-addons/t2i_adapter"
"""Id of the kind of adapter."""

_CLASSES = ("T2IAdapter",)


class T2IAdapterImporter:
    """T2I-Adapters (Mou et al., arXiv:2302.08453), original or of diffusers.

    Options: name, of the input, otherwise that of the file; ignore_leftovers, unexpected tensors to
    ignore.
    """

    options = frozenset({"name", IGNORE_LEFTOVERS})

    def recognizes(self, source: ImportSource, /) -> bool:
        """Return whether the source has the stages of a T2I-Adapter."""
        return is_of_class(source, _CLASSES) or is_t2i_adapter(source.shapes())

    def read(self, source: ImportSource, /) -> Imported:
        """Return the adapter and its conditioner.

        Raises:
            ModelFileError: the file is incomplete, or of an unknown variant.
            InvalidConfigError: an option is invalid.
        """
        tensors = read_tensors(source)
        names = rename(tensors)
        state = {names[name]: tensor for name, tensor in tensors.items()}
        try:
            fields = config_from_shapes({name: tuple(each.shape) for name, each in state.items()})
        except ModelFileError as error:
            raise ModelFileError(f"{source.path}: {error}") from None
        config = validate(T2IAdapterConfig, fields, f"{source.path}")
        hint = {"patch": HINT_PATCH, "absence": "trained"}
        return Imported(
            {
                "adapter": ImportedPart(T2I_ADAPTER, fields, state),
                "conditioner": ImportedPart("latelier/hint", hint),
            },
            inputs={read_name(source): "conditioner"},
            notes=(f"T2I-Adapter ({config.variant}) for {config.family}",),
        )
