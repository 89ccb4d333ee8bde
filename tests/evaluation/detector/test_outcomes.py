import pytest

from latelier.data.emoji_scenes.claims import RelationClaim
from latelier.data.emoji_scenes.layout import Box
from latelier.evaluation.detector.outcomes import is_related, list_ious

LEFT, RIGHT = (0.0, 0.3, 0.4, 0.7), (0.6, 0.3, 1.0, 0.7)
LARGE, INSIDE = (0.0, 0.0, 1.0, 1.0), (0.3, 0.5, 0.7, 0.9)


@pytest.mark.parametrize(
    ("subject", "words", "other", "is_right"),
    [
        (LEFT, "to the left of", RIGHT, True),
        (RIGHT, "to the left of", LEFT, False),
        (LEFT, "above", RIGHT, False),
        (INSIDE, "in front of", LARGE, True),
        (LARGE, "behind", INSIDE, True),
        (LEFT, "behind", RIGHT, False),
        (LARGE, "overlapping", INSIDE, True),
        (LEFT, "to the left of", (0.35, 0.3, 0.8, 0.7), True),
        (LEFT, "to the left of", (0.2, 0.3, 0.8, 0.7), False),
    ],
)
def test_relations_are_read_from_boxes(
    subject: Box, words: str, other: Box, is_right: bool
) -> None:
    claim = RelationClaim(0, words, 1)  # type: ignore[arg-type]
    assert is_related(claim, [subject, other]) == is_right
    assert not is_related(claim, [subject, None])


def test_the_iou_of_a_missing_object_is_zero() -> None:
    boxes = (0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0)
    assert list_ious([boxes[0], None], [boxes[1], boxes[1]]) == [0.5, 0.0]
