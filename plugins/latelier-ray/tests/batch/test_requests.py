"""Requests of rows: inputs, settings, ids and seeds."""

import base64
import datetime as dt

import pytest
from latelier.contracts.errors import InvalidInputError

from latelier_ray.batch.requests import RequestReader, read_id, seed_of
from latelier_ray.batch.table import Row

READER = RequestReader(("prompt", "layout"), {"steps": 4}, named_files=True)


def read(is_text=False, **values):
    return READER.read(Row("here", values, is_text))


def test_columns_are_inputs_and_settings_and_replace_those_of_all_rows():
    found = read(id="a", prompt="a cat", guidance=5.0, seed=9, steps=2)
    assert found.id == "a"
    assert found.request == {"steps": 2, "guidance": 5.0, "seed": 9, "inputs": {"prompt": "a cat"}}
    assert read(id="a").request["steps"] == 4


def test_the_column_inputs_is_json_or_a_value():
    for value in ('{"prompt": "a cat"}', {"prompt": "a cat", "layout": None}):
        assert read(id="a", inputs=value).request["inputs"] == {"prompt": "a cat"}
    with pytest.raises(InvalidInputError, match="prompt: given twice"):
        read(id="a", inputs='{"prompt": "a cat"}', prompt="a dog")
    with pytest.raises(InvalidInputError, match="inputs: cannot be read as JSON"):
        read(id="a", inputs="{")
    with pytest.raises(InvalidInputError, match="inputs: expected the inputs of the model"):
        read(id="a", inputs="[1]")


def test_cells_of_csv_are_json_where_they_can_be():
    cells = {"id": "7", "prompt": "007", "layout": '[{"box": [0, 0, 1, 1]}]', "guidance": "5"}
    found = read(True, **cells, sampler="ddim", size="[64, 32]").request
    assert found["inputs"] == {"prompt": "007", "layout": [{"box": [0, 0, 1, 1]}]}
    assert (found["guidance"], found["sampler"], found["size"]) == (5, "ddim", [64, 32])
    assert read(True, id="7", prompt="[sic] a cat").request["inputs"]["prompt"] == "[sic] a cat"


def test_an_unknown_column_is_refused_with_the_nearest():
    for column in ("promt", "n", "batch_size"):
        with pytest.raises(InvalidInputError, match=f"{column}: is no input of the model"):
            read(id="a", **{column: "a"})
    with pytest.raises(InvalidInputError, match="Did you mean 'prompt'"):
        read(id="a", promt="a")


def test_bytes_are_a_picture_and_nulls_of_structures_are_left_out():
    found = read(id="a", init_image=b"picture", layout=[{"box": [1], "word": None}]).request
    uri = f"data:image/png;base64,{base64.b64encode(b'picture').decode()}"
    assert (found["init_image"], found["inputs"]["layout"]) == (uri, [{"box": [1]}])
    with pytest.raises(InvalidInputError, match=r"inputs\.prompt: expected text.* type date"):
        read(id="a", prompt=dt.date.min)


@pytest.mark.parametrize("value", [None, "", True, 1.5, "x" * 201, "a/b", "../a", "a.png", "-a"])
def test_an_id_that_names_no_file_is_refused(value):
    with pytest.raises(InvalidInputError, match=r"^id: "):
        read_id(value, named_files=True)


def test_ids_are_texts_or_numbers_and_any_text_where_they_name_no_files():
    assert read_id(7, named_files=True) == "7"
    assert read_id("cat-7_B", named_files=True) == "cat-7_B"
    assert read_id("a/b é", named_files=False) == "a/b é"


def test_the_seed_is_the_id_or_its_hash():
    assert seed_of("7") == 7
    assert seed_of(str(2**63 - 1)) == 2**63 - 1
    assert 0 <= seed_of(str(2**63)) < 2**63
    assert seed_of("r7") == 6608947330799311943  # what the documentation says, for ever
    assert read(id=7).request["seed"] == 7
