import pytest

from latelier.pipeline.planning.references.arrangement.wishes import Wishes, read_wishes

LEFT, RIGHT, TOP = (-1, 0), (1, 0), (0, -1)


@pytest.mark.parametrize(
    ("text", "relations"),
    [
        ("#1 to the left of #2 in a meadow", [(0, "left of", 1)]),
        ("#2 right of the small #1", [(1, "right of", 0)]),
        ("a #1 on the right side of a #2", [(0, "right of", 1)]),
        ("#1 below #2, with #3 over the #2", [(0, "below", 1), (2, "above", 1)]),
        ("#1 on a #2", [(0, "above", 1)]),
        ("#1 and #2 above #3", [(1, "above", 2), (0, "above", 2)]),
        ("#1 behind #2 and a big #3", [(0, "behind", 1), (0, "behind", 2)]),
        (
            "a small #1, a #2 and the #3 to the left of #4",
            [(2, "left of", 3), (1, "left of", 3), (0, "left of", 3)],
        ),
        ("#1 in front of the #1", []),
        ("#1 under a night sky", []),
        ("#1 on a blue background and #2", []),
        ("#1, #2 and #3", []),
    ],
)
def test_relations(text, relations):
    assert list(read_wishes(text).relations) == relations


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("#1 on the left", {0: LEFT}),
        ("#1 at the top of the picture", {}),
        ("#1 near the top", {0: TOP}),
        ("#1 in the upper right corner and #2 at the bottom left", {0: (1, -1), 1: (-1, 1)}),
        ("on the left #1 and on the right #2", {0: LEFT, 1: RIGHT}),
        ("in the middle a huge #1", {0: (0, 0)}),
        ("#1, red and white background, tilted left, center", {0: (0, 0)}),
        ("#1 leaning to the left", {}),
        ("#1 to the left of #2", {}),
        ("in the center", {}),
    ],
)
def test_places(text, places):
    assert read_wishes(text).places == places


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("a small #1 and a huge striped #2", {0: "small", 1: "large"}),
        ("#1, blue background, little", {0: "small"}),
        ("#1 in a large meadow", {}),
        ("a big, red #1", {0: "large"}),
    ],
)
def test_sizes(text, sizes):
    assert read_wishes(text).sizes == sizes


@pytest.mark.parametrize(
    ("text", "turns", "mirrored"),
    [
        ("#1 tilted to the left in a meadow", {0: "left"}, []),
        ("#1 and #2, leaning right", {1: "right"}, []),
        (
            "#1 turned sideways, with an upside down moon and #2 upside down",
            {0: "sideways", 1: "upside down"},
            [],
        ),
        ("a small mirrored #1", {}, [0]),
        ("#1, blue background, flipped", {}, [0]),
        ("a flipped #1 above #2, #3", {}, [0]),
        ("#1 mirrored in a lake", {}, []),
    ],
)
def test_turns_and_mirroring(text, turns, mirrored):
    assert read_wishes(text).turns == turns
    assert read_wishes(text).mirrored == set(mirrored)


def test_a_text_without_objects_wishes_nothing():
    assert read_wishes("to the left of a large meadow, on the right") == Wishes()
    assert read_wishes("") == Wishes()
