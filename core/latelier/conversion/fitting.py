"""Finding presets whose shapes match a set of weights."""

from math import prod

from latelier.checkpoints.importers.building import kind_of
from latelier.checkpoints.io.shapes import Shapes
from latelier.checkpoints.io.weights import meta_device, tensor_shapes
from latelier.kernel.atelier import Atelier
from latelier.presets import PresetPart, preset_names, read_preset


def find_presets(place: str, found: Shapes, atelier: Atelier) -> list[str]:
    """Return the presets whose part at a place has weights of these shapes.

    Names are not compared: a wrong configuration may have renamed the tensors.

    Args:
        place: "first_stage", "denoiser" or "conditioners.NAME".
        found: name -> shape.
        atelier: where components are registered; presets with others are skipped.
    """
    shapes = sorted(found.values())
    count = sum(prod(shape) for shape in shapes)
    fitting = []
    for name in preset_names():
        part = read_preset(name).parts().get(place)
        if part is None or part.parameters != count:
            continue
        if _shapes_of_part(place, part, atelier) == shapes:
            fitting.append(name)
    return fitting


def _shapes_of_part(place: str, part: PresetPart, atelier: Atelier) -> list[tuple[int, ...]]:
    registry = atelier.registries[kind_of(place)]
    if part.id not in registry:
        return []
    with meta_device():
        module = registry.build(*part.piece)
    return sorted(tensor_shapes(module.state_dict()).values())
