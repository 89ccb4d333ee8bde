"""All rows are checked first: what is wrong is counted, and the first ten are named."""

import json

import pytest
from latelier import Atelier
from latelier.contracts.errors import InvalidInputError

from latelier_ray.batch.model import open_model
from latelier_ray.batch.requests import RequestReader
from latelier_ray.batch.validation import check_table


@pytest.fixture(scope="module")
def model():
    return open_model("emoji-scenes", [], Atelier())


@pytest.fixture
def check(model, tmp_path):
    def check_it(*rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        reader = RequestReader(model.classes, {}, named_files=True)
        return check_table([path], reader, model)

    return check_it


def test_good_rows_are_counted_and_their_hash_is_of_content_and_order(check):
    one, two = {"id": 1, "prompt": "a cat"}, {"prompt": "a dog", "id": 2, "steps": 3}
    found = check(one, two)
    assert found.count == 2
    assert check(one, dict(reversed(two.items()))) == found
    assert check(two, one).sha256 != found.sha256
    assert check(one, {**two, "steps": 4}).sha256 != found.sha256


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a cat"}, "line 2: id: a row needs one"),
        ({"id": 2, "prompt": 7}, "line 2 .id 2.: prompt: .*valid string"),
        ({"id": 2, "palette": "a"}, "palette: is no input of the model"),
        ({"id": 2, "inputs": {"palette": "a"}}, "has no input or option 'palette'"),
        ({"id": 2, "prompt": "a", "steps": 0}, "steps.*greater than or equal to 1"),
        ({"id": 2, "prompt": "a", "sampler": "nosuch"}, "there is no sampler 'nosuch'"),
        ({"id": 2, "prompt": "a", "seed": -1}, "seed.*greater than or equal to 0"),
        ({"id": 2, "prompt": "a", "init_image": "/etc/hostname"}, "init_image.*data URI"),
    ],
)
def test_a_row_at_fault_is_named(check, row, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        check({"id": 1, "prompt": "a cat"}, row)
    assert str(caught.value).startswith("1 rows cannot be drawn, and nothing was started:")


def test_no_more_than_ten_are_named_and_all_are_counted(check):
    with pytest.raises(InvalidInputError) as caught:
        check(*({"id": k, "prompt": "a", "steps": k % 2} for k in range(40)))
    assert str(caught.value).startswith("20 rows cannot be drawn")
    assert str(caught.value).count("\n") == 10


def test_ids_that_are_given_twice_are_named_with_both_places(check):
    rows = [{"id": each, "prompt": "a"} for each in (1, "2", 3, "1", 2)]
    with pytest.raises(InvalidInputError) as caught:
        check(*rows)
    first, *named = str(caught.value).splitlines()
    assert first.startswith("2 ids are given twice")
    assert "line 4 (id 1): is that of" in named[0]
    assert named[0].endswith("line 1 too")
    assert "line 5 (id 2)" in named[1]


def test_no_rows_are_an_error(check):
    with pytest.raises(InvalidInputError, match="there are no rows"):
        check()
