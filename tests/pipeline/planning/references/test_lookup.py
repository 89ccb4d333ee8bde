import logging

import numpy as np
import pytest
from PIL import Image

import latelier
from latelier.contracts.errors import InvalidInputError, UnknownNameError
from latelier.pipeline.replay.replay import replay

from .conftest import make_pipeline


def drawing(color="red"):
    picture = Image.new("RGBA", (20, 30))
    picture.paste(color, (3, 4, 15, 20))
    return picture


def box(label, number):
    return {"label": label, "box": [number * 0.3, 0, number * 0.3 + 0.3, 1]}


def request(pipe, **inputs):
    """Return the texts, labels and drawn names of a run's first picture."""
    [picture, *_] = pipe.generate(seed=1, **inputs)
    recorded = picture.provenance["request"]["inputs"]
    labels = [each["label"] for each in (recorded.get("layout") or [[]])[0]]
    drew = [each["name"] for each in picture.provenance["drew"]]
    return (recorded.get("prompt") or [None])[0], labels, drew


def test_a_prompt_is_looked_up(pipe):
    found = request(pipe, prompt="two kittens to the left of a dog in a meadow")
    assert found == ("#1 and #2 to the left of #3 in a meadow", [], ["cat", "cat", "dog"])


def test_what_is_shown_changes_the_picture(pipe):
    [one], [other], [same] = (
        pipe.generate(prompt="#1 in a meadow", reference=each, seed=1)
        for each in ("cat", "dog", "kitten")
    )
    assert one.image.tobytes() != other.image.tobytes()
    assert one.image.tobytes() == same.image.tobytes()


def test_references_come_first_then_labels_then_mentions(pipe):
    prompt = "a cat to the left of a dog in a meadow"
    assert request(pipe, prompt=prompt, reference=["dog", "cat"])[0].startswith("#2 to the left")
    layout = [box("dog", 0), box("cat", 1)]
    text, labels, drew = request(pipe, prompt=prompt, layout=layout)
    assert (text[:2], labels, drew) == ("#2", ["#1", "#2"], ["dog", "cat"])
    found = request(pipe, layout=[box("my thing", 0), box("cat", 1)], reference=["cat", drawing()])
    assert found == (None, ["#2", "#1"], ["cat", None])


def test_references_are_names_numbers_and_pictures(pipe):
    given = ["kitten", 315, drawing()]
    assert request(pipe, reference=given)[2] == ["cat", "dog", None]
    assert request(pipe, reference="two dogs")[2] == ["dog", "dog"]


def test_rows_have_their_own_references(pipe):
    pictures = pipe.generate(prompt=["a cat", "in a meadow", "a dog"], seed=1, batch_size=2)
    assert [[each["name"] for each in p.provenance["drew"]] for p in pictures] == [
        ["cat"], [], ["dog"],
    ]  # fmt: skip
    assert pictures[0].provenance["request"]["inputs"]["reference"] == [["cat"], None, ["dog"]]


def test_a_negative_prompt_is_looked_up_too(pipe):
    [picture] = pipe.generate(prompt="a cat", negative="a dog", seed=1)
    negative = picture.provenance["request"]["negative"]
    assert negative == {"prompt": ["#1"], "reference": [["dog"]]}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"reference": "zebar"}, r"reference: latelier/emoji has no 'zebar'; .* 'zebra'"),
        ({"reference": 1167}, "reference: latelier/emoji has no entry 1167; .* 0 to 1166"),
        ({"reference": ["cat"] * 4}, "reference: there are 4 reference pictures, but at most 3"),
        ({"reference": Image.new("RGBA", (8, 8))}, "transparent everywhere"),
        ({"layout": [box("zebar", 0)]}, "layout: latelier/emoji has no 'zebar'"),
        ({"layout": [box("two cats", 0)]}, "layout: 'two cats' names 2 objects in one box"),
        ({"layout": [box("cat", 0)] * 4}, "layout: it names 4 objects, but at most 3"),
        (
            {"layout": [box("#1", 0), box("#2", 1)], "reference": "cat"},
            r"layout: boxes: 2, references: 1 \('cat'\); name a thing for each box",
        ),
        (
            {"layout": [box("#1", 0), box("#2", 1)], "prompt": "a cat"},
            r"layout: boxes: 2, references: 1 \('cat'\); name a thing for each box",
        ),
    ],
)
def test_bad_references_are_one_clear_error(pipe, inputs, message):
    with pytest.raises(InvalidInputError, match=message):
        pipe.generate(**inputs)


def test_warnings_have_the_public_input_in_front(pipe, caplog):
    with caplog.at_level(logging.WARNING, "latelier"):
        pipe.generate(prompt="a elefant in a meadow", seed=1)
        pipe.generate(prompt="in a meadow", reference=drawing(), seed=1)
    assert caplog.messages == [
        "prompt: 'elefant' is not in latelier/emoji; it drew 'elephant': spelt like it",
        "prompt: it has no reference; write '#1' where the first belongs",
    ]


def test_a_word_that_nobody_knows_gets_one_warning(pipe, caplog):
    with caplog.at_level(logging.WARNING, "latelier"):
        pipe.generate(prompt="a xyzzy and a cat glibbering", negative="a xyzzy", seed=1)
    about_noun, about_verb, negative = caplog.messages
    assert about_noun.startswith("prompt: 'xyzzy' is not in latelier/emoji; the nearest names are")
    assert "'glibbering'" in about_verb
    assert "xyzzy" not in about_verb
    assert negative.startswith("negative prompt: 'xyzzy' is not in latelier/emoji")


def test_a_client_gives_names_and_no_paths(pipe, tmp_path):
    drawing().save(tmp_path / "a.png")
    path = str(tmp_path / "a.png")
    pipe.generate(reference=path, seed=1)
    with pytest.raises(InvalidInputError, match="has no '/"):
        pipe.stream_json({"inputs": {"reference": path}})
    *_, last = pipe.stream_json({"inputs": {"reference": ["cat"]}, "seed": 1})
    assert [each["name"] for each in last.pictures[0].provenance["drew"]] == ["cat"]


def test_another_database_is_named_in_the_request():
    pipe = make_pipeline(database=None)
    with pytest.raises(InvalidInputError, match="this model has no database"):
        pipe.generate(reference="cat")
    assert request(pipe, prompt="a cat")[2] == []
    assert request(pipe, prompt="a cat", database="latelier/emoji")[2] == ["cat"]
    with pytest.raises(UnknownNameError, match="there is no database 'emojis'"):
        pipe.generate(prompt="a cat", database="emojis")


def test_a_model_without_references_takes_no_database():
    pipe = latelier.load("emoji-scenes", device="cpu")
    if any(each.config.reference_role == "pictures" for each in pipe.conditioners.values()):
        pytest.skip("the embedded model takes references")
    with pytest.raises(InvalidInputError, match="database: this model takes no reference"):
        pipe.generate(prompt="a cat", database="emoji")


def test_a_replay_draws_what_is_recorded(pipe, tmp_path, monkeypatch):
    pipe.save(tmp_path / "model")
    saved = latelier.load(tmp_path / "model", device="cpu")
    assert saved.defaults.database == "emoji"
    prompt = "#1 to the left of a cat in a meadow"
    [picture] = saved.generate(prompt=prompt, reference=drawing(), seed=1)
    picture.save(tmp_path / "a.png")
    assert picture.provenance["functions"]["database"]["id"] == "latelier/emoji"
    report = replay(tmp_path / "a.png")
    assert (report.verdict, report.differences) == ("identical", ())
    assert report.picture.provenance["request"] == picture.provenance["request"]

    from latelier.data.emoji_scenes.database import emoji_database

    monkeypatch.setattr(emoji_database(), "_read", lambda _: drawing("blue"))
    report = replay(tmp_path / "a.png")
    assert "the picture of 'cat' in the database has changed" in report.differences


def test_arrays_are_references(pipe):
    levels = np.asarray(drawing())
    [one], [other] = (pipe.generate(reference=[each], seed=1) for each in (levels, drawing()))
    assert one.image.tobytes() == other.image.tobytes()
