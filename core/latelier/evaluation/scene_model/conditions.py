"""The conditions under which a model of scenes is measured, with their goals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latelier.evaluation.scene_model.examples import Inputs
from latelier.evaluation.scene_model.goals import Goal, Unit
from latelier.evaluation.scene_model.inputs import (
    give_class,
    give_hole,
    give_layout,
    give_map,
    give_numbers,
    give_prompt,
    give_reference,
    give_small,
    join,
    name_hidden,
)
from latelier.evaluation.scene_model.measures import (
    Measure,
    measure_background,
    measure_first_choice,
    measure_fit,
    measure_inpainting,
    measure_layout,
    measure_map,
    measure_presence,
    measure_super_resolution,
    measure_together,
)


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: of a value of the condition's measures.
        title: what it says.
        unit: of the value; shares are written as per cent.
        seen: the goal for drawings of the training; None if there is none.
        never_seen: the goal for drawings that the training never had.
    """

    name: str
    title: str
    unit: Unit = "%"
    seen: Goal | None = None
    never_seen: Goal | None = None


@dataclass(frozen=True)
class Condition:
    """What a model is given, and what its pictures are measured by.

    Attributes:
        title: for the table.
        scenes: fields of `SceneConfig` that differ from its defaults.
        inputs: makes the keywords of `Pipeline.generate`.
        needs: public inputs that the model must have.
        measures: of the pictures.
        figures: values of the measures that are shown.
        is_own: the drawings are in no atlas, so that none was seen and no detector knows them.
    """

    title: str
    scenes: Mapping[str, Any]
    inputs: Inputs
    needs: tuple[str, ...]
    measures: tuple[Measure, ...]
    figures: tuple[Figure, ...]
    is_own: bool = False


def _figure(name: str, title: str, bound: float, unit: Unit = "%") -> Figure:
    """Return a figure of which drawings seen and never seen have the same least value."""
    return Figure(name, title, unit, Goal(bound), Goal(bound))


CONDITIONS: Mapping[str, Condition] = {
    "text": Condition(
        "text, one object",
        {},
        give_prompt,
        ("prompt",),
        (measure_fit, measure_first_choice),
        (
            Figure(
                "fit",
                "render and compare, median",
                "dB",
                Goal(2.0, "below_first_stage"),
                Goal(3.0, "below_first_stage"),
            ),
            Figure("first_choice", "detector's first choice", seen=Goal(0.98)),
            Figure(
                "frechet",
                "Fréchet distance of the detector's features to other scenes",
                "distance",
                Goal(2.0, "times_first_stage"),
            ),
        ),
    ),
    "own-reference": Condition(
        "own drawing as the reference",
        {"drawn": 1.0, "slots": True},
        give_reference,
        ("prompt", "reference"),
        (measure_fit,),
        (
            Figure(
                "fit",
                "render and compare, median",
                "dB",
                never_seen=Goal(4.0, "below_first_stage"),
            ),
        ),
        is_own=True,
    ),
    "text-many": Condition(
        "text, two or three objects",
        {"objects": (2, 3)},
        give_prompt,
        ("prompt",),
        (measure_presence,),
        (
            _figure("all_present", "all present", 0.9),
            _figure("relation", "relation right", 0.9),
        ),
    ),
    "repeated": Condition(
        "one drawing two or three times",
        {"objects": (2, 3), "slots": True, "repeated": 1.0},
        give_numbers,
        ("prompt", "reference"),
        (measure_presence,),
        (_figure("all_present", "all present", 0.9),),
    ),
    "background": Condition(
        "background named in the prompt",
        {"captioned_background": 1.0},
        give_prompt,
        ("prompt",),
        (measure_background,),
        (
            _figure("kind", "kind right", 0.98),
            _figure("place", "place right", 0.98),
            _figure("color", "colours right", 0.98),
        ),
    ),
    "class": Condition(
        "class number alone",
        {},
        give_class,
        ("reference",),
        (measure_first_choice,),
        (_figure("first_choice", "detector's first choice", 0.98),),
    ),
    "layout": Condition(
        "layout",
        {"objects": (1, 3)},
        give_layout,
        ("layout",),
        (measure_layout,),
        (_figure("layout", "IoU 0.5 and the right object", 0.9),),
    ),
    "semantic-map": Condition(
        "semantic map",
        {"objects": (1, 3)},
        give_map,
        ("semantic_map",),
        (measure_map,),
        (_figure("mean_iou", "mean IoU", 0.85, "IoU"),),
    ),
    "inpainting": Condition(
        "inpainting, the hidden object named",
        {"objects": (1, 2)},
        join(name_hidden, give_hole),
        ("prompt",),
        (measure_inpainting,),
        (
            _figure("exact", "known pixels exact", 1.0),
            _figure("found", "hidden object found", 0.9),
        ),
    ),
    "super-resolution": Condition(
        "super-resolution x4",
        {},
        give_small,
        ("low_resolution",),
        (measure_super_resolution,),
        (
            _figure("gain", "PSNR over bicubic", 3.0, "dB"),
            _figure("first_choice", "detector's first choice", 0.9),
        ),
    ),
    "together": Condition(
        "text, layout and mask together",
        {"objects": (2, 2), "captioned_background": 1.0},
        join(give_prompt, give_layout, give_hole),
        ("prompt", "layout"),
        (measure_together,),
        (_figure("together", "all right", 0.85),),
    ),
}
