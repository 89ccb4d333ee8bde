"""From what an importer found to a component: built, checked, its weights assigned."""

from torch import Tensor, nn

from latelier.checkpoints.component import Component
from latelier.checkpoints.importers.fit import Published, check_fit
from latelier.checkpoints.weights import built_for_weights
from latelier.kernel.atelier import Atelier
from latelier.kernel.contracts import ImportedPart
from latelier.kernel.errors import ModelFileError, UnknownNameError
from latelier.kernel.spec import Kind


def kind_of(place: str) -> Kind:
    """Return the kind of component that belongs to a place of a pipeline."""
    if place == "first_stage":
        return "first_stage"
    return "denoiser" if place == "denoiser" else "conditioner"


def built(
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
        config = registry.configured(part.id, part.config)
    except UnknownNameError:
        distribution = part.id.partition("/")[0]
        there = any(report.distribution == distribution for report in atelier.plugins)
        raise ModelFileError(
            f"this model needs the {kind.replace('_', ' ')} '{part.id}', which is not installed: "
            f"pip install {'--upgrade ' if there else ''}{distribution}"
        ) from None
    module: nn.Module = built_for_weights(lambda: registry.build(part.id, config))
    wanted = module.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in part.tensors.items()}
    check_fit(place, shapes, {name: tuple(t.shape) for name, t in wanted.items()}, published)
    widened = {name: _as(wanted[name], tensor) for name, tensor in part.tensors.items()}
    module.load_state_dict(widened, assign=True)
    if part.assets:
        module.set_assets(part.assets)  # type: ignore[operator]
    module.eval().requires_grad_(False)
    spec = registry.spec(part.id)
    return Component(kind, spec.id, spec.version, module)


def _as(wanted: Tensor, tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == wanted.dtype else tensor.to(wanted.dtype)
