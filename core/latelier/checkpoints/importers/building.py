"""From what an importer found to a component: built, checked, its weights assigned."""

from collections.abc import Mapping

from torch import Tensor, nn

from latelier.checkpoints.adapter import LoadedAdapter, adapter_component
from latelier.checkpoints.component import Component
from latelier.checkpoints.importers.fit import Published, check_fit
from latelier.checkpoints.io.weights import build_on_meta
from latelier.contracts.errors import ModelFileError, UnknownNameError
from latelier.contracts.frozen import validate
from latelier.contracts.importing import ImportedPart
from latelier.denoisers.adapter import Adapter
from latelier.denoisers.configs import AdapterConfig
from latelier.kernel.atelier import Atelier
from latelier.kernel.spec import Kind


def kind_of(place: str) -> Kind:
    """Return the kind of component that belongs to a place of a pipeline."""
    if place == "first_stage":
        return "first_stage"
    return "denoiser" if place == "denoiser" else "conditioner"


def build_part(
    place: str, part: ImportedPart, atelier: Atelier, published: Published | None = None
) -> Component:
    """Return a part as a component, its weights mapped where they need no widening.

    Raises:
        ModelFileError: its plugin is not installed, or the weights are not its configuration's.
        InvalidConfigError: the installed plugin does not know the configuration.
    """
    kind = kind_of(place)
    registry = atelier.registry(kind)
    try:
        config = registry.validate_config(part.id, part.config)
    except UnknownNameError:
        distribution = part.id.partition("/")[0]
        there = any(report.distribution == distribution for report in atelier.plugins)
        raise ModelFileError(
            f"this model needs the {kind.replace('_', ' ')} '{part.id}', which is not installed: "
            f"pip install {'--upgrade ' if there else ''}{distribution}"
        ) from None
    module: nn.Module = build_on_meta(lambda: registry.build(part.id, config))
    _fill(module, place, part, published)
    spec = registry.spec(part.id)
    return Component(kind, spec.id, spec.version, module)


def build_adapter(parts: Mapping[str, ImportedPart], name: str, atelier: Atelier) -> LoadedAdapter:
    """Return an adapter, of which "adapter" and "conditioner" were found.

    Raises:
        ModelFileError, InvalidConfigError: see `built`.
    """
    part = parts["adapter"]
    config = validate(AdapterConfig, part.config, "adapter")
    module = build_on_meta(lambda: Adapter(config))
    _fill(module, "adapter", part)
    conditioner = build_part("conditioner", parts["conditioner"], atelier)
    return LoadedAdapter(name, conditioner, adapter_component(module))


def _fill(
    module: nn.Module, place: str, part: ImportedPart, published: Published | None = None
) -> None:
    """Give a module the tensors and assets of a part."""
    wanted = module.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in part.tensors.items()}
    check_fit(place, shapes, {name: tuple(t.shape) for name, t in wanted.items()}, published)
    widened = {name: _as(wanted[name], tensor) for name, tensor in part.tensors.items()}
    module.load_state_dict(widened, assign=True)
    if part.assets:
        module.set_assets(part.assets)  # type: ignore[operator]
    module.eval().requires_grad_(False)


def _as(wanted: Tensor, tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == wanted.dtype else tensor.to(wanted.dtype)
