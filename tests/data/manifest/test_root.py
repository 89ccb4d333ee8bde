"""A manifest reads no file outside of its folder, unless a person names the root."""

import json

import pytest

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest
from latelier.data.manifest.manifest import read_manifest, read_root, write_manifest
from latelier.data.manifest.parquet import write_parquet
from latelier.data.pictures import decode_rgb, read_bytes


@pytest.fixture
def write(tmp_path, draw):
    """Writes a manifest of one picture in the folder "set", and returns its path."""
    draw("outside/a.png")
    draw("set/pictures/a.png")

    def write(root=".", **record):
        path = tmp_path / "set" / "manifest.jsonl"
        header = {"latelier_manifest": 1, "root": root.format(tmp=tmp_path)}
        lines = (header, {"file": "a.png", **record})
        path.write_text("".join(json.dumps(each) + "\n" for each in lines))
        return path

    return write


@pytest.mark.parametrize("root", ["/", "..", "../outside", "pictures/../..", "{tmp}", "a\0b"])
def test_a_root_outside_of_the_folder_is_an_error(write, root):
    path = write(root)
    with pytest.raises(DataError, match=r"manifest.jsonl: 'root': expected a folder at or below"):
        open_manifest(path.parent)


def test_the_error_names_the_setting(tmp_path, write):
    path = write("../outside")
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    message = str(caught.value)
    assert f"{path}: 'root'" in message
    assert f"set 'root: {tmp_path / 'outside'}'" in message
    assert f"--root {tmp_path / 'outside'}" in message


@pytest.mark.parametrize(
    "root", ["pictures", "./pictures", "{tmp}/set/pictures", "../set/pictures"]
)
def test_a_root_in_the_folder_is_read(write, root):
    manifest = read_manifest(write(root))
    assert decode_rgb(read_bytes(manifest.root, manifest[0])).size == (8, 6)


def test_a_root_that_a_person_names_counts(tmp_path, write):
    manifest = open_manifest(write("/").parent, tmp_path / "outside")
    assert manifest.root == tmp_path / "outside"
    assert decode_rgb(read_bytes(manifest.root, manifest[0])).size == (8, 6)


@pytest.mark.parametrize("field", ["file", "semantic_map", "mask"])
@pytest.mark.parametrize("link", ["folder", "file"])
def test_a_link_out_of_the_root_is_an_error_unless_the_root_is_named(tmp_path, write, field, link):
    folder = tmp_path / "set"
    if link == "folder":
        (folder / "linked").symlink_to(tmp_path / "outside")
    else:
        (folder / "linked").mkdir()
        (folder / "linked" / "a.png").symlink_to(tmp_path / "outside" / "a.png")
    path = write(**{field: "linked/a.png"})
    with pytest.raises(DataError) as caught:
        read_manifest(path)
    message = str(caught.value)
    assert f"{path}: the file 'linked/a.png'" in message
    assert f"outside of the root {folder}; to follow links, set 'root: {folder}'" in message
    assert len(read_manifest(path, folder)) == 1


def test_a_root_that_is_a_link_out_of_the_folder_is_an_error(tmp_path, write):
    (tmp_path / "set" / "linked").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError, match="'root'"):
        read_manifest(write("linked"))


def test_links_within_the_root_are_followed(tmp_path, write):
    folder = tmp_path / "set"
    (folder / "b.png").symlink_to("pictures/a.png")
    (tmp_path / "alias").symlink_to(folder)
    write(file="b.png")
    assert len(open_manifest(tmp_path / "alias")) == 1


def test_parquet_follows_the_same_rule(tmp_path, draw):
    pytest.importorskip("pyarrow")
    draw("pictures/a.png")
    path = tmp_path / "elsewhere" / "manifest.parquet"
    write_parquet(open_manifest(tmp_path / "pictures"), path)
    with pytest.raises(DataError, match=r"manifest.parquet: 'root': expected a folder"):
        open_manifest(path)
    assert len(open_manifest(path, tmp_path / "pictures")) == 1
    (path.parent / "linked").symlink_to(tmp_path / "pictures")
    from pyarrow import parquet, table

    parquet.write_table(table({"file": ["linked/a.png"]}), path)
    with pytest.raises(DataError, match=r"'linked/a.png' is reached by a link"):
        open_manifest(path)


def test_the_root_of_a_manifest_of_our_own_is_known(tmp_path, draw):
    draw("pictures/a.png")
    write_manifest(open_manifest(tmp_path / "pictures"), tmp_path / "run" / "data.jsonl")
    assert read_root(tmp_path / "run" / "data.jsonl").resolve() == tmp_path / "pictures"


@pytest.mark.parametrize("path", ["pictures", "pictures/metadata.csv", "{0..1}.tar"])
def test_a_root_of_something_else_is_an_error(tmp_path, draw, path):
    draw("pictures/a.png")
    (tmp_path / "pictures" / "metadata.csv").write_text("file_name\na.png\n")
    with pytest.raises(DataError, match="root is for a manifest"):
        open_manifest(tmp_path / path, tmp_path)
