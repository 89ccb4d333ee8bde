import json
import logging

import pytest
from PIL import Image

from latelier.contracts.databases import Entry
from latelier.contracts.errors import DataError
from latelier.databases.folder import FolderDatabase


@pytest.fixture
def folder(tmp_path):
    Image.new("RGBA", (4, 3), "red").save(tmp_path / "red_apple.png")
    Image.new("RGB", (5, 5), "blue").save(tmp_path / "blue-box.jpg")
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


def test_files_give_names_and_pictures(folder):
    words = {"red apple": {"synonyms": ["apple"], "tags": ["fruit"], "group": "food"}}
    (folder / "words.json").write_text(json.dumps(words))
    database = FolderDatabase(folder)
    assert database.entries == (
        Entry("blue box"),
        Entry("red apple", ("apple",), ("fruit",), "food"),
    )
    assert [database.picture(number).mode for number in (0, 1)] == ["RGBA", "RGBA"]
    assert database.find("an apple")[0].entries == (1,)


def test_a_damaged_picture_is_named_and_left_out(folder, caplog):
    (folder / "cat.png").write_bytes((folder / "red_apple.png").read_bytes()[:60])
    (folder / "dog.png").write_bytes(b"woof")
    with caplog.at_level(logging.WARNING, "latelier"):
        database = FolderDatabase(folder)
    assert [entry.name for entry in database.entries] == ["blue box", "red apple"]
    assert "cat.png: left out of the database" in caplog.text
    assert "dog.png: left out of the database" in caplog.text


def test_a_picture_that_cannot_be_shown_is_an_error_that_names_it(folder):
    Image.new("RGBA", (4, 4)).save(folder / "ghost.png")
    database = FolderDatabase(folder)
    with pytest.raises(DataError, match=r"ghost\.png: it is transparent everywhere"):
        database.picture(1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{", "words.json: expected"),
        ('{"red apple": {"synonym": ["apple"]}}', "words.json: expected"),
        ('{"green apple": {}}', "words.json: no picture has the name 'green apple'"),
    ],
)
def test_damaged_words_are_an_error(folder, words, message):
    (folder / "words.json").write_text(words)
    with pytest.raises(DataError, match=message):
        FolderDatabase(folder)


def test_names_must_differ(folder):
    Image.new("RGBA", (4, 3), "red").save(folder / "red-apple.png")
    with pytest.raises(DataError, match="two entries have the name 'red apple'"):
        FolderDatabase(folder)


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(DataError, match="expected pictures"):
        FolderDatabase(tmp_path)
    with pytest.raises(DataError, match="folder not found"):
        FolderDatabase(tmp_path / "none")
