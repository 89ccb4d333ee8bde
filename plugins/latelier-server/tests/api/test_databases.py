"""Databases of pictures: what a form needs to offer their entries."""

import io

import pytest
from latelier.contracts.databases import Entry
from latelier.data.emoji_scenes.database import emoji_database
from latelier.databases.picture_database import PictureDatabase
from PIL import Image

from latelier_server.api import databases


def test_entries_have_names_and_synonyms_in_the_order_of_their_numbers(client):
    entries = client.get("/api/databases/latelier/emoji").json()["entries"]
    known = emoji_database().entries
    assert [each["name"] for each in entries] == [each.name for each in known]
    [cat] = [each for each in entries if each["name"] == "cat"]
    assert "kitten" in cat["synonyms"]
    assert client.get("/api/databases/emoji").json()["entries"] == entries


def test_an_entry_has_a_picture_with_transparency(client):
    number = [entry.name for entry in emoji_database().entries].index("cat")
    answer = client.get(f"/api/databases/latelier/emoji/pictures/{number}")
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.mode == "RGBA"
    assert picture.tobytes() == emoji_database().picture(number).tobytes()


def test_large_pictures_are_made_small_and_stay_as_they_are_in_the_database(client, monkeypatch):
    large = Image.new("RGBA", (1024, 512), "teal")
    entries = [Entry("whale")]
    whales = PictureDatabase(entries, lambda _: large)
    monkeypatch.setattr(databases, "open_database", lambda *_: whales)
    answer = client.get("/api/databases/whales/pictures/0")
    assert Image.open(io.BytesIO(answer.content)).size == (256, 128)
    assert large.size == (1024, 512)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("nothing", "database_not_found"),
        ("nothing/pictures/0", "database_not_found"),
        ("latelier/emoji/pictures/99999", "not_found"),
    ],
)
def test_what_is_not_there_is_said(client, path, code):
    answer = client.get(f"/api/databases/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
