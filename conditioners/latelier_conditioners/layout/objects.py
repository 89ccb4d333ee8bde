"""The base of both layout conditioners."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import TypeVar

from latelier.contracts.conditioner import Conditioner
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.common.labels import ClassNames
from latelier_conditioners.layout.inputs import Attribute, Layout, LayoutObject, ObjectsConfig

WindowBox = tuple[float, float, float, float]
"""x0, y0, x1, y1 in 0..1 of the whole."""

WHOLE: WindowBox = (0.0, 0.0, 1.0, 1.0)

Config = TypeVar("Config", bound=ObjectsConfig, default=ObjectsConfig, covariant=True)


class ObjectsConditioner(Conditioner[Config]):
    """Checks and selects the objects of layouts. Boxes refer to the whole picture, not the crop."""

    Input = Layout

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._names = ClassNames(config.names, config.num_classes)

    def augment(self, value: Layout, rng: np.random.Generator, /) -> Layout:
        """Return the layout without objects below `min_object_area`, in random order.

        It does not change the number of objects otherwise: the data set drops layouts with too many
        or too few.
        """
        objects = [each for each in value.objects if each.area >= self.config.min_object_area]
        shuffled = tuple(objects[k] for k in rng.permutation(len(objects)))
        return value.model_copy(update={"objects": shuffled})

    def _known_objects(
        self, layout: Layout, attributes: frozenset[Attribute] = frozenset()
    ) -> list[tuple[int, LayoutObject]]:
        """Return the objects, each after the number of its class.

        Raises:
            InvalidInputError: the layout has too many or too few objects, or an object that is too
                small, of an unknown class, or with an attribute that `attributes` lacks.
        """
        self._check_count(layout.objects)
        known = []
        for position, each in enumerate(layout.objects):
            number = self._number(position, each)
            self._check_object(position, each, attributes)
            known.append((number, each))
        return known

    def _number(self, position: int, each: LayoutObject) -> int:
        try:
            return self._names.number(each.label)
        except InvalidInputError as error:
            raise InvalidInputError(f"object {position}: {error}") from None

    def _check_count(self, objects: Sequence[LayoutObject]) -> None:
        least, most = self.config.min_objects_per_image, self.config.max_objects_per_image
        if len(objects) > most:
            raise InvalidInputError(
                f"a layout has {len(objects)} objects, but at most {most} fit in this model"
            )
        if len(objects) < least:
            raise InvalidInputError(
                f"a layout has {len(objects)} objects, but this model needs {least} or more; "
                "leave the layout out for a picture without one"
            )

    def _check_object(
        self, position: int, each: LayoutObject, supported: frozenset[Attribute]
    ) -> None:
        least = self.config.min_object_area
        if each.area < least:
            raise InvalidInputError(
                f"object {position} ('{each.label}') covers {each.area:.3g} of the picture, but "
                f"this model takes no object below {least:.3g}"
            )
        unknown = [name for name in each.attributes if name not in supported]
        if unknown:
            listed = ", ".join(sorted(supported)) or "no attributes"
            raise InvalidInputError(
                f"object {position} ('{each.label}') is '{unknown[0]}', unknown to this model; it "
                f"knows {listed}"
            )
