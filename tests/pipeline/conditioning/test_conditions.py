"""From what a person gives to rows: lists, short forms, inputs that are lists themselves."""

import pytest
import torch
from PIL import Image
from pydantic import Field

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart
from latelier.contracts.conditioner import Conditioner
from latelier.contracts.configs import ConditionerConfig, SpatialConfig
from latelier.contracts.errors import CompatibilityError, InvalidInputError
from latelier.contracts.frozen import Frozen
from latelier.contracts.inputs import Box, Color
from latelier.diffusion.guidance.unconditional import find_droppable_conditions
from latelier.pipeline.conditioning.conditions import ConditionBuilder
from latelier.pipeline.tiling.windows import make_windows

FRAME = PictureGeometry((16, 16), (8, 8))


class Word(Frozen):
    text: str


class Palette(Frozen):
    colors: list[Color] = Field(min_length=1)


class Place(Frozen):
    box: Box


class Photo(Frozen):
    size: tuple[int, int]


class Pair(Frozen):
    a: int
    b: int = 2


class Counts(Conditioner):
    """OutputSpec a vector of one number for each row: how many times it was prepared."""

    def __init__(self, model):
        super().__init__(ConditionerConfig())
        self.Input = model
        self.prepared = []

    def prepare(self, inputs, frame):
        self.prepared.append(list(inputs))
        return {"x": torch.arange(float(len(inputs)))[:, None]}

    def forward(self, batch, frame):
        return ConditionPart(vector=batch["x"])

    def null(self, rows, frame):
        return ConditionPart(vector=torch.full((rows, 1), -1.0))

    def output_size(self, value):
        return getattr(value, "size", None)


def builder(**models):
    conditioners = {name: Counts(model) for name, model in models.items()}
    inputs = {name: (name,) for name in models}
    return ConditionBuilder(conditioners, inputs, torch.device("cpu"), torch.float32)


RED_BLUE = Palette(colors=["red", "blue"])


@pytest.mark.parametrize(
    ("model", "value", "rows"),
    [
        (Word, "cat", [Word(text="cat")]),
        (Word, ["cat", "dog"], [Word(text="cat"), Word(text="dog")]),
        (Word, ("cat", {"text": "dog"}), [Word(text="cat"), Word(text="dog")]),
        (Palette, ["red", "blue"], [RED_BLUE]),
        (Palette, [["red", "blue"], ["red"]], [RED_BLUE, Palette(colors=["red"])]),
        (Palette, {"colors": ["red", "blue"]}, [RED_BLUE]),
        (Palette, [RED_BLUE, RED_BLUE], [RED_BLUE, RED_BLUE]),
        (Place, [0, 0, 1, 1], [Place(box=[0, 0, 1, 1])]),
        (
            Place,
            [[0, 0, 1, 1], [0, 0, 0.5, 1]],
            [Place(box=b) for b in ([0, 0, 1, 1], [0, 0, 0.5, 1])],
        ),
        (Pair, {"a": 1}, [Pair(a=1)]),
        (Pair, [1, 2], [Pair(a=1), Pair(a=2)]),
    ],
)
def test_an_input_is_one_value_or_one_per_row(model, value, rows):
    built = builder(x=model)
    assert built.read({"x": value}) == {"x": rows}
    assert built.read(built.to_json({"x": rows})) == {"x": rows}


def test_to_json_uses_the_short_form_where_possible():
    built = builder(word=Word, place=Place, pair=Pair)
    rows = built.read({"word": "cat", "place": [0, 0, 1, 1], "pair": 1})
    assert built.to_json(rows) == {
        "word": ["cat"],
        "place": [{"box": {"x0": 0, "y0": 0, "x1": 1, "y1": 1}}],
        "pair": [{"a": 1, "b": 2}],
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": ["red", "rdd"]}, "x: 'colors.1': a color is"),
        ({"x": [["red"], ["rdd"]]}, "x: 'colors.0': a color is"),
        ({"x": []}, "x"),
        ({"x": [["red"], ["red"]], "word": ["a", "b", "c"]}, "equally long"),
    ],
)
def test_lists_of_unequal_lengths_are_refused(given, message):
    with pytest.raises(InvalidInputError, match=message):
        builder(x=Palette, word=Word).read(given)


def test_rows_are_repeated_over_the_pictures_and_missing_inputs_are_null():
    built = builder(word=Word, other=Word)
    condition = built.condition(built.read({"word": ["cat", "dog"]}), 4, FRAME)
    assert condition.vectors["word"].flatten().tolist() == [0, 1, 2, 3]
    assert condition.vectors["other"].flatten().tolist() == [-1] * 4
    assert [each.text for each in built._conditioners["word"].prepared[0]] == [
        "cat",
        "cat",
        "dog",
        "dog",
    ]


def test_row_counts_must_divide_the_picture_count():
    built = builder(word=Word)
    with pytest.raises(InvalidInputError, match="word: 2 values do not go with 3 pictures"):
        built.condition(built.read({"word": ["cat", "dog"]}), 3, FRAME)


def test_with_first_keeps_all_rows_of_other_inputs():
    build = builder(word=Word, palette=Palette)
    rows = build.read({"word": ["a", "b"], "palette": ["red", "blue"]})
    other = build.with_first(rows, "c")
    assert other["word"] == [Word(text="c")]
    assert other["palette"] is rows["palette"]
    assert build.condition(other, 4, FRAME).vectors["word"].shape == (4, 1)
    with pytest.raises(InvalidInputError, match="text"):
        build.with_first(rows, {"text": []})
    with pytest.raises(CompatibilityError, match="no public input"):
        builder().with_first({}, "c")


def test_inputs_determine_the_picture_size():
    given = builder(photo=Photo, text=Word)
    rows = given.read({"photo": [Photo(size=(8, 16))] * 2, "text": ["a", "b"]})
    assert given.output_size(rows) == (8, 16)
    assert given.output_size(given.read({"text": "a"})) is None


def test_inputs_of_different_sizes_are_refused():
    given = builder(photo=Photo)
    rows = given.read({"photo": [Photo(size=(8, 16)), Photo(size=(8, 8))]})
    with pytest.raises(InvalidInputError, match="photo 8x16 and photo 8x8"):
        given.output_size(rows)


class Map(Conditioner):
    """OutputSpec a map of its number, and puts the number into the first pixel of the picture."""

    Input = Pair

    def __init__(self, config=None):
        super().__init__(config or ConditionerConfig())
        self.nulls = 0

    def prepare(self, inputs, frame):
        return {"a": torch.tensor([float(each.a) for each in inputs])}

    def forward(self, batch, frame):
        return ConditionPart(
            spatial=batch["a"][:, None, None, None].expand(-1, 1, *frame.latent_size)
        )

    def null(self, rows, frame):
        self.nulls += 1
        return ConditionPart(spatial=torch.zeros(rows, 1, *frame.latent_size))

    def postprocess(self, picture, value):
        done = picture.copy()
        done.putpixel((0, 0), value.a)
        return done


def steering(**config):
    conditioners = {"map": Map(SpatialConfig(**config)), "text": Counts(Word)}
    inputs = {name: (name,) for name in conditioners}
    return conditioners, ConditionBuilder(conditioners, inputs, torch.device("cpu"), torch.float32)


def test_the_negative_condition_keeps_spatial_parts():
    conditioners, given = steering()
    condition = given.condition(given.read({"map": [{"a": 3}], "text": ["a"]}), 1, FRAME)
    other = given.negative_condition(condition, {}, FRAME)
    assert torch.equal(other.spatial["map"], condition.spatial["map"])
    assert torch.equal(other.vectors["text"], torch.full((1, 1), -1.0))
    assert conditioners["map"].nulls == 0


def test_the_negative_condition_keeps_a_part_whose_absence_was_only_trained():
    _, given = steering(absence="trained")
    condition = given.condition(given.read({"map": [{"a": 3}], "text": ["a"]}), 1, FRAME)
    assert (given.negative_condition(condition, {}, FRAME).spatial["map"] == 3).all()


def test_a_guided_spatial_part_is_compared_with_its_absence():
    _, given = steering(absence="guided")
    condition = given.condition(given.read({"map": [{"a": 3}], "text": ["a"]}), 1, FRAME)
    assert (condition.spatial["map"] == 3).all()
    assert not given.negative_condition(condition, {}, FRAME).spatial["map"].any()
    other = given.negative_condition(condition, given.read({"map": [{"a": 5}]}), FRAME)
    assert (other.spatial["map"] == 5).all()


def test_a_negative_replaces_a_spatial_part():
    _, given = steering()
    condition = given.condition(given.read({"map": [{"a": 3}], "text": ["a"]}), 1, FRAME)
    other = given.negative_condition(condition, given.read({"map": [{"a": 5}]}), FRAME)
    assert (other.spatial["map"] == 5).all()


def test_each_picture_is_postprocessed_with_the_input_of_its_row():
    _, given = steering()
    rows = given.read({"map": [{"a": 3}, {"a": 5}]})
    done = given.postprocess(rows, [Image.new("L", (2, 2)) for _ in range(4)])
    assert [picture.getpixel((0, 0)) for picture in done] == [3, 3, 5, 5]


class Scene(Frozen):
    places: tuple[Place, ...]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            [{"box": [0, 0, 1, 1]}, {"box": [0.5, 0, 0.2, 1]}],
            r"scene: 'places\.1\.box': a box needs",
        ),
        ([{"box": [0, 0, 1, 1]}, {"box": [0, 0, 2, 1]}], r"scene: 'places\.1\.box\.x1'"),
        ([[{"box": [0, 0, 1, 1]}], [{"box": [0, 0, 2, 1]}]], r"scene: 'places\.0\.box\.x1'"),
        ([{"places": [{"box": [0, 0, 2, 1]}]}], r"scene: 'places\.0\.box\.x1'"),
    ],
)
def test_a_list_with_one_bad_item_names_the_item_and_the_field(value, message):
    builder = ConditionBuilder(
        {"scene": Counts(Scene)}, {"scene": ("scene",)}, torch.device("cpu"), torch.float32
    )
    with pytest.raises(InvalidInputError, match=message):
        builder.read({"scene": value})


class KeptConfig(ConditionerConfig):
    """What a conditioner declares whose part guidance keeps."""

    @property
    def is_kept_in_negative(self):
        return True


class Size(Counts):
    """A kept vector: the value of each row, or the height of the picture."""

    def __init__(self):
        super().__init__(Pair)
        self._config = KeptConfig()

    def prepare(self, inputs, frame):
        return {"x": torch.tensor([[float(value.a)] for value in inputs])}

    def null(self, rows, frame):
        return ConditionPart(vector=torch.full((rows, 1), float(frame.size[0])))


@pytest.fixture
def sized():
    conditioners = {"text": Counts(Word), "size": Size()}
    inputs = {name: (name,) for name in conditioners}
    return ConditionBuilder(conditioners, inputs, torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("given", [{"text": "a"}, {"text": "a", "size": {"a": 3}}])
def test_the_negative_condition_leaves_out_what_guidance_keeps(sized, given):
    rows = sized.read(given)
    both = sized.conditions(rows, {}, 1, FRAME)
    assert both.condition.vectors["size"].item() == (3 if "size" in given else 16)
    assert set(both.negative.vectors) == {"text"}
    assert find_droppable_conditions(both.condition, both.negative) == {"text"}
    window = make_windows(FRAME.latent_size, (4, 4), 0.5)[0]
    assert set(sized.for_window(both.negative, {}, FRAME, window).vectors) == {"text"}


def test_a_negative_input_replaces_what_guidance_keeps(sized):
    rows, negative = sized.read({"size": {"a": 3}}), sized.read({"size": {"a": 5}})
    both = sized.conditions(rows, negative, 1, FRAME)
    assert both.negative.vectors["size"].item() == 5
