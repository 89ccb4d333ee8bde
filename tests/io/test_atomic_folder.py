"""Files are whole or not there."""

import hashlib
import json

import pytest

from latelier.io.atomic import write_bytes, write_json
from latelier.io.hashing import sha256_of


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


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"not": object()})
    assert list(tmp_path.iterdir()) == []
