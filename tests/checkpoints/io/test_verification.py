"""Hashes: small files each time, large ones once, all of them without the cache."""

import hashlib
import json
import os

import pytest

from latelier.checkpoints.io import verification
from latelier.checkpoints.io.verification import verify
from latelier.contracts.errors import ModelFileError

DATA = b"some weights"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def hashed(monkeypatch):
    """Count how often a file is hashed."""
    seen = []

    def counted(path):
        seen.append(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(verification, "sha256_of", counted)
    return seen


def test_small_files_are_hashed_each_time(file, hashed, tmp_path):
    assert verify(file, SHA256) == verify(file, SHA256) == file
    assert len(hashed) == 2
    assert not (tmp_path / "cache").exists()


@pytest.fixture
def large(file, monkeypatch):
    monkeypatch.setattr(verification, "ALWAYS_BELOW", 1)
    return file


def test_a_large_file_is_hashed_once(large, hashed):
    verify(large, SHA256)
    verify(large, SHA256)
    assert len(hashed) == 1


def test_a_large_file_is_hashed_again_without_the_cache(large, hashed):
    verify(large, SHA256)
    verify(large, SHA256, use_cache=False)
    assert len(hashed) == 2


def rewritten(path):
    path.write_bytes(DATA[::-1])


def touched(path):
    os.utime(path, ns=(1, 1))


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(DATA)
    status = path.stat()
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [rewritten, touched, replaced])
def test_a_file_that_changed_is_hashed_again(large, hashed, change):
    verify(large, SHA256)
    change(large)
    if change is rewritten:
        with pytest.raises(ModelFileError, match="its SHA-256 is"):
            verify(large, SHA256)
    else:
        verify(large, SHA256)
    assert len(hashed) == 2


def test_a_different_expected_hash_is_an_error(large):
    verify(large, SHA256)
    with pytest.raises(ModelFileError, match="the manifest says 000000000000"):
        verify(large, "0" * 64)


def test_a_mismatch_is_not_remembered(large, hashed):
    for _ in range(2):
        with pytest.raises(ModelFileError, match="was changed, or belongs to another model"):
            verify(large, "0" * 64)
    assert len(hashed) == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 3}', "\xff"])
def test_a_damaged_cache_only_costs_time(large, tmp_path, content):
    cache = tmp_path / "cache" / "latelier" / "verified" / "files.json"
    cache.parent.mkdir(parents=True)
    cache.write_bytes(content.encode("latin-1"))
    verify(large, SHA256)
    assert str(large.resolve()) in json.loads(cache.read_text())


def test_a_cache_that_cannot_be_written_only_costs_time(large, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    assert verify(large, SHA256) == large


@pytest.mark.parametrize("name", ["nowhere", ".", "a\0b"])
def test_unreadable_files_are_an_error(file, name):
    with pytest.raises(ModelFileError, match="cannot be read"):
        verify(file.parent / name, SHA256)
