import logging

import numpy as np
import pytest
from PIL import Image, ImageDraw

import latelier
from latelier.contracts.errors import InvalidInputError
from latelier.contracts.images.cutout import Cutout, Pose
from latelier.data.emoji_scenes.database import emoji_database
from latelier.pipeline.replay.replay import replay

from .conftest import make_collage_pipeline

PICTURE = Image.new("RGB", (16, 16), "teal")
ANIMALS, FOOD = 1, 2
BOXES = [[0.0, 0.5, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5]]


@pytest.fixture
def pipe():
    return make_collage_pipeline()


@pytest.fixture
def saved(tmp_path):
    make_collage_pipeline().save(tmp_path / "model")
    return latelier.load(tmp_path / "model", device="cpu")


def places(pictures):
    """Return the centres of the references of pictures, (x, y) in 0..1."""
    return [
        [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in (e["box"] for e in drew)]
        for drew in (each.provenance["drew"] for each in pictures)
    ]


def test_words_and_seeds_place_what_a_prompt_mentions(pipe):
    pictures = pipe.generate(prompt="a cat to the left of a dog in a meadow", n=3, seed=4)
    found = places(pictures)
    assert all(cat[0] < dog[0] for cat, dog in found)
    assert len({str(each) for each in found}) == 3


def test_each_picture_of_a_run_can_be_made_again_alone(pipe):
    pictures = pipe.generate(prompt=["a cat", "two dogs in a meadow"], n=2, seed=4, batch_size=3)
    for k, picture in enumerate(pictures):
        [alone] = pipe.generate(prompt=["a cat", "two dogs in a meadow"][k // 2], seed=4 + k)
        assert alone.image.tobytes() == picture.image.tobytes()
        assert alone.provenance["drew"] == picture.provenance["drew"]


def test_a_replay_places_them_again(saved, tmp_path):
    [_, picture] = saved.generate(prompt="a cat and a dog in a meadow", n=2, seed=4)
    picture.save(tmp_path / "picture.png")
    assert replay(tmp_path / "picture.png").verdict == "identical"


@pytest.mark.parametrize("given", [{}, {"turns": [40]}, {"turns": [40], "mirrored": [True]}])
def test_a_box_has_the_aspect_of_what_is_seen_of_a_turned_drawing(pipe, given):
    drawing = Image.new("RGBA", (60, 40))
    ImageDraw.Draw(drawing).polygon([(0, 0), (60, 0), (0, 40)], fill="red")
    [picture] = pipe.generate(prompt="a #1", reference={"pictures": [drawing], **given}, seed=4)
    [drew] = picture.provenance["drew"]
    x0, y0, x1, y1 = drew["box"]
    pose = Pose(drew["turn"], drew["mirrored"])
    left, top, right, bottom = Cutout(drawing.convert("RGBa")).extent(pose)
    assert (x1 - x0) / (y1 - y0) == pytest.approx((right - left) / (bottom - top))


def test_a_list_without_references_is_none(pipe):
    [given], [left_out] = (
        pipe.generate(prompt="in a meadow", seed=4, **each) for each in ({"reference": []}, {})
    )
    assert given.provenance["drew"] == []
    assert given.image.tobytes() == left_out.image.tobytes()
    [named] = pipe.generate(prompt="a cat", reference=[], seed=4)
    assert [each["name"] for each in named.provenance["drew"]] == ["cat"]


def test_words_turn_and_mirror_objects(pipe):
    [picture] = pipe.generate(prompt="a mirrored cat, tilted to the left", seed=4)
    [cat] = picture.provenance["drew"]
    assert cat["mirrored"] is True
    assert 12 <= cat["turn"] <= 20
    [picture] = pipe.generate(
        prompt="a cat", reference={"pictures": ["cat"], "turns": [45]}, seed=4
    )
    [cat] = picture.provenance["drew"]
    assert (cat["turn"], cat["mirrored"]) == (45, False)


def test_boxes_of_the_request_are_kept_and_recorded(saved, tmp_path):
    boxes = [[0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0]]
    given = {
        "pictures": ["cat", Image.new("RGBA", (8, 8), "red")],
        "boxes": boxes,
        "turns": [5, 0],
        "mirrored": [False, True],
    }
    [picture, other] = saved.generate(reference=given, n=2, seed=4)
    for each in (picture, other):
        assert [drawn["box"] for drawn in each.provenance["drew"]] == boxes
    picture.save(tmp_path / "picture.png")
    assert replay(tmp_path / "picture.png").verdict == "identical"


def test_a_layout_places_references_by_their_slots(pipe):
    layout = [
        {"label": "dog", "box": [0.5, 0.0, 1.0, 0.5]},
        {"label": "cat", "box": [0.0, 0.5, 0.5, 1.0]},
    ]
    [picture] = pipe.generate(prompt="a cat and a dog", layout=layout, seed=4)
    drew = {each["name"]: each["box"] for each in picture.provenance["drew"]}
    assert drew == {"dog": [0.5, 0.0, 1.0, 0.5], "cat": [0.0, 0.5, 0.5, 1.0]}


def test_labels_of_a_layout_are_slots_by_name_or_number(pipe):
    def draw(*labels):
        layout = [{"label": label, "box": BOXES[k]} for k, label in enumerate(labels)]
        [picture] = pipe.generate(prompt="a cat and a dog", layout=layout, seed=4)
        return [each["box"] for each in picture.provenance["drew"]]

    assert draw("#2", "#1") == draw(1, 0) == draw("1", "#1") == [BOXES[1], BOXES[0]]
    with pytest.raises(InvalidInputError, match=r"layout: no box has the label '#2'"):
        draw("#1", "#1")


def test_objects_go_into_the_masked_part_of_an_image(pipe):
    mask = np.zeros((16, 16), bool)
    mask[8:, :8] = True
    pictures = pipe.generate(prompt="a cat", init_image=PICTURE, mask=mask, n=4, seed=4)
    assert all(x < 0.5 < y for [(x, y)] in places(pictures))


def test_an_object_is_as_large_as_a_round_mask_takes_it(pipe):
    row, column = np.mgrid[:16, :16] + 0.5
    mask = (row - 8) ** 2 + (column - 8) ** 2 < 7.5**2
    square = {"pictures": [Image.new("RGB", (8, 8), "red")], "turns": [0]}
    pictures = pipe.generate(
        prompt="#1", reference=square, init_image=PICTURE, mask=mask, n=4, seed=4
    )
    for picture in pictures:
        x0, _, x1, _ = picture.provenance["drew"][0]["box"]
        # the largest square in a circle has 0.71 of its diameter, 0.75 without 2 % at its corners
        assert 0.55 < x1 - x0 < 0.75


def test_several_objects_in_a_round_mask_keep_what_the_text_says_of_them(pipe):
    row, column = np.mgrid[:16, :16] + 0.5
    mask = (row - 8) ** 2 + (column - 8) ** 2 < 7.5**2
    options = {"init_image": PICTURE, "mask": mask, "n": 4, "seed": 4}
    for picture in pipe.generate(prompt="a cat in front of a dog in a meadow", **options):
        cat, dog = (
            (x1 - x0) * (y1 - y0)
            for x0, y0, x1, y1 in (e["box"] for e in picture.provenance["drew"])
        )
        assert cat < dog


@pytest.mark.parametrize(
    ("inputs", "shown"),
    [
        ({"init_image": PICTURE, "strength": 0.5}, "`init_image`"),
        ({"semantic_map": np.zeros((16, 16), dtype=np.uint8)}, "input 'semantic_map'"),
    ],
)
def test_references_without_boxes_are_left_out_where_something_shows_the_arrangement(
    pipe, inputs, shown, caplog
):
    with caplog.at_level(logging.WARNING):
        [picture] = pipe.generate(prompt="a cat", **inputs, seed=4)
    assert f"reference: {shown} decides where objects are" in caplog.text
    [without] = pipe.generate(prompt="#1", **inputs, seed=4)
    assert picture.image.tobytes() == without.image.tobytes()
    caplog.clear()
    given = {"pictures": ["cat"], "boxes": [[0, 0, 1, 1]]}
    [other] = pipe.generate(prompt="a cat", reference=given, **inputs, seed=4)
    assert "decides where" not in caplog.text
    assert other.image.tobytes() != picture.image.tobytes()


@pytest.fixture
def painted():
    """A map with an area of food on the left, and a larger one of animals on the right."""
    labels = np.zeros((16, 16), dtype=np.uint8)
    labels[4:8, 1:6], labels[3:13, 9:15] = FOOD, ANIMALS
    return labels


def test_a_map_places_each_reference_in_an_area_of_its_group(pipe, painted):
    [picture] = pipe.generate(prompt="a pizza and a cat", semantic_map=painted, seed=4)
    pizza, cat = picture.provenance["drew"]
    assert (pizza["name"], cat["name"]) == ("pizza", "cat")
    assert pizza["box"] == [1 / 16, 4 / 16, 6 / 16, 8 / 16]
    assert cat["box"] == [9 / 16, 3 / 16, 15 / 16, 13 / 16]


def test_areas_without_a_reference_get_one_of_their_group(pipe, painted, saved, tmp_path):
    groups = {entry.name: entry.group for entry in emoji_database().entries}
    [picture] = saved.generate(semantic_map=painted, seed=4)
    drew = [groups[each["name"]] for each in picture.provenance["drew"]]
    assert drew == ["animals and nature", "food and drink"]
    [named] = pipe.generate(prompt="a cat", semantic_map=painted, seed=4)
    cat, food = named.provenance["drew"]
    assert (cat["name"], groups[food["name"]]) == ("cat", "food and drink")
    assert cat["box"][0] == 9 / 16
    picture.save(tmp_path / "picture.png")
    assert replay(tmp_path / "picture.png").verdict == "identical"


def test_a_reference_of_another_group_gets_the_largest_area(pipe, painted):
    [picture] = pipe.generate(reference=[PICTURE], prompt="#1", semantic_map=painted, seed=4)
    given, food = picture.provenance["drew"]
    assert given["name"] is None
    assert given["box"][0] == 9 / 16
    assert food["box"][0] == 1 / 16


def test_more_areas_than_fit_are_a_warning_and_the_largest_count(pipe, caplog):
    painted = np.zeros((16, 16), dtype=np.uint8)
    for k in range(4):
        painted[1 : 4 + k, 4 * k : 4 * k + 3] = FOOD
    with caplog.at_level(logging.WARNING):
        [picture] = pipe.generate(semantic_map=painted, seed=4)
    assert "semantic_map: it has 4 areas of objects, and the largest 3 are drawn" in caplog.text
    assert [each["box"][0] for each in picture.provenance["drew"]] == [12 / 16, 8 / 16, 4 / 16]


def test_a_map_with_fewer_areas_than_references_places_none(pipe, painted, caplog):
    with caplog.at_level(logging.WARNING):
        pipe.generate(prompt="a pizza and a cat and a dog", semantic_map=painted, seed=4)
    assert "reference: input 'semantic_map' decides where objects are" in caplog.text


def test_as_many_areas_as_fit_are_no_warning(pipe, caplog):
    painted = np.zeros((16, 16), dtype=np.uint8)
    for k in range(3):
        painted[1:4, 5 * k : 5 * k + 3] = FOOD
    with caplog.at_level(logging.WARNING):
        [picture] = pipe.generate(semantic_map=painted, seed=4)
    assert len(picture.provenance["drew"]) == 3
    assert "areas of objects" not in caplog.text


def test_poses_of_the_request_come_before_the_map(pipe, painted):
    given = {"pictures": ["pizza"], "boxes": [[0, 0, 1, 1]]}
    [picture] = pipe.generate(reference=given, semantic_map=painted, seed=4)
    [pizza] = picture.provenance["drew"]
    assert pizza["box"] == [0, 0, 1, 1]


def test_without_a_database_a_map_shows_nothing_but_itself(painted):
    [picture] = make_collage_pipeline(None).generate(semantic_map=painted, seed=4)
    assert picture.provenance["drew"] == []


def test_fewer_boxes_than_objects_are_an_error(pipe):
    given = {"pictures": ["cat"], "boxes": [[0, 0, 1, 1]]}
    message = r"has 1 boxes, and there are 2 references \(.*\); list each of them"
    with pytest.raises(InvalidInputError, match=message):
        pipe.generate(prompt="#1 and a dog", reference=given)


def test_a_negative_prompt_is_placed_too(pipe):
    [one], [other] = (
        pipe.generate(prompt="a cat", negative={"prompt": each}, guidance=3.0, seed=4)
        for each in ("a dog", "an owl")
    )
    assert one.image.tobytes() != other.image.tobytes()
