"""From the parts that an importer found to components."""

from typing import Any

from torch import Tensor, nn

from latelier.checkpoints.component import Component, explain_missing
from latelier.checkpoints.importers.fit import FindPresets, check_fit, select_ignored
from latelier.checkpoints.io.weights import build_on_meta, tensor_shapes
from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.contracts.importing import ImportedPart
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import Kind


def kind_of(place: str) -> Kind:
    """Return the kind of the component at a place of a pipeline."""
    kinds: dict[str, Kind] = {
        "first_stage": "first_stage",
        "denoiser": "denoiser",
        "adapter": "adapter_kind",
    }
    return kinds.get(place, "conditioner")


def build_part(
    place: str,
    part: ImportedPart,
    atelier: Atelier,
    find_presets: FindPresets | None = None,
    ignore: Any = (),
) -> Component:
    """Return a part as a component. Its weights stay mapped, in the precision that is stored.

    Args:
        place: "first_stage", "denoiser", "conditioners.NAME" or "adapter".
        part: the part.
        atelier: where components are registered.
        find_presets: looks for configurations that fit weights which do not fit theirs.
        ignore: names of unexpected tensors to ignore if the component does not take them.

    Raises:
        ModelFileError: its plugin is not installed, or the weights do not fit its configuration.
        InvalidConfigError: the installed plugin refuses the configuration.
    """
    kind = kind_of(place)
    registry = atelier.registries[kind]
    try:
        config = registry.validate_config(part.id, part.config)
    except UnknownNameError:
        raise ModelFileError(f"the model {explain_missing(kind, part.id, atelier)}") from None
    module: nn.Module = build_on_meta(lambda: registry.build(part.id, config))
    _fill(module, place, part, find_presets, ignore)
    spec = registry.spec(part.id)
    return Component(kind, spec.id, spec.version, module)


def _fill(
    module: nn.Module,
    place: str,
    part: ImportedPart,
    find_presets: FindPresets | None = None,
    ignore: Any = (),
) -> None:
    """Load the tensors and assets of a part into a module."""
    expected = module.state_dict()
    ignored = select_ignored(part.tensors.keys() - expected.keys(), ignore)
    tensors = {name: tensor for name, tensor in part.tensors.items() if name not in ignored}
    check_fit(place, tensor_shapes(tensors), tensor_shapes(expected), find_presets)
    state = {name: _cast(tensor, expected[name]) for name, tensor in tensors.items()}
    module.load_state_dict(state, assign=True)
    if part.assets:
        module.set_assets(part.assets)  # type: ignore[operator]
    module.eval().requires_grad_(False)


def _cast(tensor: Tensor, like: Tensor) -> Tensor:
    """Return a tensor in the precision that it is stored in, or as whole numbers like `like`."""
    if tensor.is_floating_point() and like.is_floating_point():
        return tensor
    return tensor if tensor.dtype == like.dtype else tensor.to(like.dtype)
