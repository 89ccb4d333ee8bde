"""What both layout conditioners do with objects."""

from collections.abc import Sequence

import numpy as np

from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.class_label.names import ClassNames
from latelier_conditioners.layout.inputs import Attribute, Layout, LayoutObject, ObjectsConfig

WindowBox = tuple[float, float, float, float]
"""x0, y0, x1, y1 in 0..1 of the whole."""


class ObjectsConditioner(Conditioner):
    """Base of the layout conditioners. Boxes are those of the whole, also where it is cropped."""

    Input = Layout

    def __init__(self, config: ObjectsConfig) -> None:
        super().__init__(config)
        self._bounds = config
        self._names = ClassNames(config.names, config.num_classes)

    def augment(self, value: Layout, rng: np.random.Generator, /) -> Layout:
        """Return the layout without its smallest objects, the others in an order drawn with `rng`.

        Layouts with too many or too few objects are the data's to leave out.
        """
        objects = [o for o in value.objects if o.area >= self._bounds.min_object_area]
        drawn = tuple(objects[k] for k in rng.permutation(len(objects)))
        return value.model_copy(update={"objects": drawn})

    def _read(
        self, layout: Layout, crop: WindowBox, attributes: frozenset[Attribute] = frozenset()
    ) -> list[tuple[int, LayoutObject]]:
        """Return the objects that are seen in the crop, each with the number of its class.

        Raises:
            InvalidInputError: too many or too few, one that is too small, of no known class, or
                with an attribute that is not among `attributes`.
        """
        self._check_count(layout.objects)
        found = []
        for position, each in enumerate(layout.objects):
            number = self._number(position, each)
            self._check_object(f"object {position} ('{each.label}')", each, attributes)
            if _meets(each, crop):
                found.append((number, each))
        return found

    def _number(self, position: int, each: LayoutObject) -> int:
        try:
            return self._names.number(each.label)
        except InvalidInputError as error:
            raise InvalidInputError(f"object {position}: {error}") from None

    def _check_count(self, objects: Sequence[LayoutObject]) -> None:
        least, most = self._bounds.min_objects_per_image, self._bounds.max_objects_per_image
        if len(objects) > most:
            raise InvalidInputError(
                f"a layout has {len(objects)} objects, but at most {most} fit in this model"
            )
        if len(objects) < least:
            raise InvalidInputError(
                f"a layout has {len(objects)} objects, but this model needs {least} or more; "
                "leave the layout out for a picture without one"
            )

    def _check_object(self, which: str, each: LayoutObject, known: frozenset[Attribute]) -> None:
        least = self._bounds.min_object_area
        if each.area < least:
            raise InvalidInputError(
                f"{which} covers {each.area:.3g} of the picture, but this model takes no object "
                f"below {least:.3g}"
            )
        unknown = [name for name in each.attributes if name not in known]
        if unknown:
            takes = f"it knows {', '.join(sorted(known))}" if known else "it knows no attributes"
            raise InvalidInputError(f"{which} is '{unknown[0]}', unknown to this model; {takes}")


def _meets(each: LayoutObject, crop: WindowBox) -> bool:
    x0, y0, x1, y1 = crop
    box = each.box
    return box.x0 < x1 and x0 < box.x1 and box.y0 < y1 and y0 < box.y1
