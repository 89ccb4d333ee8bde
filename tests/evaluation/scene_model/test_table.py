import pytest

from latelier.evaluation.scene_model.goals import Goal
from latelier.evaluation.scene_model.table import to_table


@pytest.mark.parametrize(
    ("goal", "value", "is_met"),
    [
        (Goal(0.9), 0.9, True),
        (Goal(0.9), 0.89, False),
        (Goal(2.0, "below_first_stage"), 22.0, True),
        (Goal(2.0, "below_first_stage"), 21.9, False),
        (Goal(2.0, "times_first_stage"), 48.0, True),
        (Goal(2.0, "times_first_stage"), 48.1, False),
    ],
)
def test_goals_are_bounds_of_values(goal: Goal, value: float, is_met: bool) -> None:
    assert goal.is_met(value, first_stage=24.0) == is_met


def test_the_table_has_goals_beside_values_and_marks_what_is_missed() -> None:
    sources = ("model", "first_stage", "rendered")
    measured = {
        "text": {
            part: {
                source: {"fit": fit, "first_choice": 0.99}
                for source, fit in zip(sources, fits, strict=True)
            }
            for part, fits in (("seen", (22.5, 24, 30)), ("never_seen", (20.5, 24, 30)))
        },
        "layout": {"seen": {"model": {"layout": 0.5}}},
    }
    lines = to_table(measured).splitlines()
    assert lines[0].startswith("| condition | measure | goal")
    assert lines[2] == (
        "| text, one object | render and compare, median | within 2.0 dB / within 3.0 dB "
        "| 22.5 dB | **20.5 dB** | 24.0 dB / 24.0 dB | 30.0 dB / 30.0 dB |"
    )
    assert lines[3].split(" | ")[2:5] == ["98.0 % / -", "99.0 %", "99.0 %"]
    assert lines[4].split(" | ")[3:] == ["**50.0 %**", "-", "-", "- |"]
    assert len(lines) == 5
