import io
import json
import sys

import pytest
from PIL import Image

from latelier.contracts.errors import DataError
from latelier.data.converters.recognize import open_manifest
from latelier.data.pictures import decode_rgb, read_bytes

pa = pytest.importorskip("pyarrow")


def png(color):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), color).save(buffer, "PNG")
    return buffer.getvalue()


def save_to_disk(folder, columns, features, options=None):
    """Write a data set as `datasets` does: two batches in one Arrow stream."""
    folder.mkdir(parents=True)
    table = pa.table(columns)
    with (
        pa.OSFile(str(folder / "data-00000-of-00001.arrow"), "wb") as file,
        pa.ipc.new_stream(file, table.schema, options=options) as writer,
    ):
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (folder / "state.json").write_text(json.dumps(state))


PICTURES = [{"bytes": png(color), "path": None} for color in ("red", "blue", "lime")]
FEATURES = {
    "image": {"_type": "Image"},
    "text": {"dtype": "string", "_type": "Value"},
    "label": {"names": ["warm", "cold"], "_type": "ClassLabel"},
}
COLUMNS = {"image": PICTURES, "text": ["red", "blue", "green"], "label": [0, 1, 1]}


def test_pictures_are_read_from_the_arrow_file(tmp_path, monkeypatch):
    save_to_disk(tmp_path / "set", COLUMNS, FEATURES)
    manifest = open_manifest(tmp_path / "set")
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # reading needs none
    colors = [decode_rgb(read_bytes(manifest.root, record)).getpixel((0, 0)) for record in manifest]
    assert colors == [(255, 0, 0), (0, 0, 255), (0, 255, 0)]
    assert [record.captions[0].text for record in manifest] == ["red", "blue", "green"]
    assert [record.class_label for record in manifest] == [0, 1, 1]
    assert manifest.header.class_names == ("warm", "cold")


def test_objects_and_columns_of_their_own(tmp_path):
    objects = [{"bbox": [[0.0, 0.0, 2.0, 4.0]], "category": [5]}] * 3
    columns = {"image": PICTURES, "objects": objects, "degrees": [10, 20, 30]}
    features = {"image": {"_type": "Image"}, "objects": {}, "degrees": {"_type": "Value"}}
    save_to_disk(tmp_path / "set", columns, features)
    record = open_manifest(tmp_path / "set")[1]
    assert (record.boxes[0].label, record.boxes[0].box.x1) == (5, 0.5)
    assert record.fields == {"degrees": 20}


def test_of_several_splits_train_is_taken(tmp_path):
    for split in ("test", "train"):
        save_to_disk(tmp_path / split, COLUMNS, FEATURES)
    (tmp_path / "dataset_dict.json").write_text('{"splits": ["test", "train"]}')
    assert open_manifest(tmp_path).root == tmp_path / "train"


def test_a_picture_outside_of_the_file_is_reported(tmp_path):
    pictures = [*PICTURES[:2], {"bytes": None, "path": "/etc/passwd"}]
    save_to_disk(tmp_path / "set", {**COLUMNS, "image": pictures}, FEATURES)
    manifest = open_manifest(tmp_path / "set")
    assert len(manifest) == 2
    assert manifest.skipped[0].reason == "its picture is a path outside of the data set"


def test_a_compressed_file_is_an_error(tmp_path):
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    save_to_disk(tmp_path / "set", COLUMNS, FEATURES, options)
    with pytest.raises(DataError, match="save the data set without compression"):
        open_manifest(tmp_path / "set")


def test_without_pyarrow_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    save_to_disk(tmp_path / "set", COLUMNS, FEATURES)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'latelier\[arrow\]'"):
        open_manifest(tmp_path / "set")


def test_a_set_without_pictures_is_an_error(tmp_path):
    save_to_disk(tmp_path / "set", {"text": ["a"]}, {"text": {"_type": "Value"}})
    with pytest.raises(DataError, match="expected one column of pictures named 'image'"):
        open_manifest(tmp_path / "set")


@pytest.mark.parametrize("files", [5, [5], [{}], [{"filename": 5}]])
def test_a_damaged_list_of_files_is_an_error(tmp_path, files):
    save_to_disk(tmp_path / "set", COLUMNS, FEATURES)
    (tmp_path / "set" / "state.json").write_text(json.dumps({"_data_files": files}))
    with pytest.raises(DataError, match=r"state.json: '_data_files': expected a list of objects"):
        open_manifest(tmp_path / "set")


@pytest.mark.parametrize("name", ["../set/data-00000-of-00001.arrow", "/etc/passwd", ""])
def test_a_file_or_split_outside_of_the_data_set_is_an_error(tmp_path, name):
    save_to_disk(tmp_path / "set", COLUMNS, FEATURES)
    (tmp_path / "set" / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(DataError, match=r"state.json: expected names below its folder"):
        open_manifest(tmp_path / "set")
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["../other"]}')
    with pytest.raises(DataError, match=r"dataset_dict.json: expected names below its folder"):
        open_manifest(tmp_path / "set")
