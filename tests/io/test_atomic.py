"""A path names the old content or the new one, whatever happens in between."""

import errno
import hashlib
import json
import os
import stat
from pathlib import Path

import pytest

from latelier.io.atomic import atomic_file, atomic_folder, write_bytes, write_json
from latelier.io.hashing import sha256_of


def write(path, text, **options):
    with atomic_file(path, **options) as temporary:
        temporary.write_text(text)


def fill(path, text, **options):
    with atomic_folder(path, **options) as temporary:
        (temporary / "inner").mkdir()
        (temporary / "inner" / "file").write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("exists", [True, False])
def test_a_failure_does_not_change_the_file(tmp_path, error, exists):
    path = tmp_path / "file"
    if exists:
        path.write_text("old")

    def fail():
        with atomic_file(path) as temporary:
            temporary.write_text("half of the n")
            assert temporary.parent == path.parent
            raise error

    with pytest.raises(error):
        fail()
    assert names(tmp_path) == (["file"] if exists else [])
    assert not exists or path.read_text() == "old"


def test_concurrent_writers_use_different_temporary_files(tmp_path):
    path = tmp_path / "file"
    with atomic_file(path) as first, atomic_file(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # the outer one is renamed last
    assert names(tmp_path) == ["file"]


def test_a_replaced_file_keeps_its_mode_and_links(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o600)
    link.symlink_to(path)
    write(link, "new")
    assert path.read_text() == "new"
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["file", "link"]


@pytest.mark.parametrize("write_to", [write, fill])
def test_a_file_name_may_have_the_maximal_length(tmp_path, write_to):
    path = tmp_path / ("n" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    write_to(path, "old")
    write_to(path, "new")
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("write_to", [write, fill])
def test_existing_files_are_replaced_only_on_request(tmp_path, write_to):
    path = tmp_path / "path"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        write_to(path, "new", replace=False)
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["path"]
    write_to(path.with_name("new"), "new", replace=False)
    assert names(tmp_path) == ["new", "path"]


@pytest.mark.parametrize("links", ["supported", "unsupported"])
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch, links):
    def refuse(*_):
        raise OSError(errno.EPERM, "no hard links")

    if links == "unsupported":
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "file"

    def write_late(name):
        with atomic_file(path, replace=False) as temporary:
            temporary.write_text("new")
            (tmp_path / name).write_text("precious")

    write_late("another")
    assert path.read_text() == "new"
    path.unlink()
    with pytest.raises(FileExistsError):
        write_late("file")
    assert path.read_text() == "precious"
    assert names(tmp_path) == ["another", "file"]


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "folder"

    def fill_late():
        with atomic_folder(path, replace=False):
            path.mkdir()
            (path / "precious").touch()

    with pytest.raises(FileExistsError):
        fill_late()
    assert names(path) == ["precious"]
    assert names(tmp_path) == ["folder"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_does_not_change_the_folder(tmp_path, error):
    path = tmp_path / "folder"
    fill(path, "old")

    def fail():
        with atomic_folder(path) as temporary:
            (temporary / "half").touch()
            raise error

    with pytest.raises(error):
        fail()
    assert (path / "inner" / "file").read_text() == "old"
    assert names(tmp_path) == ["folder"]


def test_a_folder_replaces_a_folder_a_file_and_a_link_target(tmp_path):
    folder, file, link = tmp_path / "folder", tmp_path / "file", tmp_path / "link"
    fill(folder, "old")
    file.touch()
    link.symlink_to(folder)
    fill(file, "new")
    fill(link, "new")
    assert link.is_symlink()
    for path in (folder, file):
        assert names(path) == ["inner"]
        assert (path / "inner" / "file").read_text() == "new"
    assert names(tmp_path) == ["file", "folder", "link"]


def test_a_file_replaces_neither_a_folder_nor_a_device(tmp_path):
    with pytest.raises(IsADirectoryError):
        write(tmp_path, "text")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FileExistsError):
        write(pipe, "text")
    assert names(tmp_path) == ["pipe"]


@pytest.mark.parametrize("write_to", [write, fill])
def test_a_full_disk_leaves_no_partial_file(tmp_path, monkeypatch, write_to):
    path = tmp_path / "path"
    write_to(path, "old")

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)  # the last chance of a file system to say so
    with pytest.raises(OSError, match="No space left"):
        write_to(path, "new")
    assert names(tmp_path) == ["path"]
    assert (path if write_to is write else path / "inner" / "file").read_text() == "old"


def test_everything_is_flushed_before_it_is_renamed(tmp_path, monkeypatch):
    flushed, fsync = [], os.fsync

    def record(descriptor):
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not name open files")
    monkeypatch.setattr(os, "fsync", record)
    fill(tmp_path / "folder", "new")
    *inside, parent = flushed
    endings = {path.partition(".part")[2] for path in inside}
    assert endings == {"", "/inner", "/inner/file"}
    assert parent == str(tmp_path)


def test_hashes_of_bytes_and_files_match(tmp_path):
    path = tmp_path / "new" / "folder" / "file"
    sha256 = write_bytes(path, b"content")
    assert path.read_bytes() == b"content"
    assert sha256 == sha256_of(path) == hashlib.sha256(b"content").hexdigest()
    assert names(path.parent) == ["file"]


def test_json_is_indented(tmp_path):
    write_json(tmp_path / "a.json", {"name": "é", "n": [1]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "é" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"name": "é", "n": [1]}


def test_a_value_without_json_form_writes_nothing(tmp_path):
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"not": object()})
    assert names(tmp_path) == []
