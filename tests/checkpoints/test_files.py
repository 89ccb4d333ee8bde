"""Files are whole or not there."""

import hashlib
import json

import pytest

from latelier.checkpoints.files import sha256_of, whole, write_bytes, write_json


def test_a_file_and_its_folders_appear_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    sha256 = write_bytes(path, b"content")
    assert path.read_bytes() == b"content"
    assert sha256 == sha256_of(path) == hashlib.sha256(b"content").hexdigest()
    assert list(path.parent.iterdir()) == [path]


def test_json_is_readable(tmp_path):
    write_json(tmp_path / "a.json", {"name": "é", "n": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "é" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "é", "n": [1]}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("there", [True, False])
def test_a_failure_leaves_what_was_there(tmp_path, error, there):
    path = tmp_path / "file"
    if there:
        path.write_text("old")

    def interrupted():
        with whole(path) as beside:
            beside.write_text("half of the n")
            assert beside.parent == path.parent
            raise error

    with pytest.raises(error):
        interrupted()
    assert [each.name for each in tmp_path.iterdir()] == (["file"] if there else [])
    assert not there or path.read_text() == "old"


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"not": object()})
    assert list(tmp_path.iterdir()) == []


def test_two_writers_do_not_meet(tmp_path):
    path = tmp_path / "file"
    with whole(path) as one, whole(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"  # the outer one is renamed last
    assert list(tmp_path.iterdir()) == [path]
