import json

import numpy as np
import pytest
from PIL import Image

from latelier.contracts.errors import DataError
from latelier.data.converters.coco import convert_coco
from latelier.data.converters.recognize import open_manifest
from latelier.data.pictures import decode_map, read_bytes

IMAGES = [{"id": 9, "file_name": "9.jpg", "width": 8, "height": 6}]
CATEGORIES = [{"id": 18, "name": "dog"}, {"id": 3, "name": "car"}]


@pytest.fixture
def coco(tmp_path, draw):
    """Writes the files of the split `val` as COCO lays them out, and returns their folder."""
    draw("val/9.jpg")
    folder = tmp_path / "annotations"
    folder.mkdir()

    def write(kind, annotations, **fields):
        values = {"images": IMAGES, "annotations": annotations, "categories": CATEGORIES, **fields}
        (folder / f"{kind}_val.json").write_text(json.dumps(values))
        return folder / f"{kind}_val.json"

    return write


def instance(**changes):
    return {"id": 1, "image_id": 9, "category_id": 18, "bbox": [4, 0, 8, 3], **changes}


def test_boxes_captions_and_maps_of_a_split_are_read_together(coco, tmp_path):
    path = coco("instances", [instance(), instance(iscrowd=1)])
    coco("captions", [{"image_id": 9, "caption": "a dog "}, {"image_id": 9, "caption": "a car"}])
    segments = [{"id": 1 + 256 * 2, "category_id": 3}]
    coco("panoptic", [{"image_id": 9, "file_name": "9.png", "segments_info": segments}])
    colors = np.zeros((6, 8, 3), np.uint8)
    colors[:, 4:] = (1, 2, 0)
    (tmp_path / "annotations/panoptic_val").mkdir()
    Image.fromarray(colors).save(tmp_path / "annotations/panoptic_val/9.png")

    manifest = open_manifest(path)
    [record] = manifest
    assert (manifest.root, record.file, record.width) == (tmp_path, "val/9.jpg", 8)
    [box] = record.boxes
    assert (box.label, box.box.x0, box.box.x1, box.box.y1) == (1, 0.5, 1, 0.5)
    assert [caption.text for caption in record.captions] == ["a dog", "a car"]
    assert manifest.header.box_names == ("car", "dog")
    assert manifest.header.map_names == ("unlabelled", "car", "dog")
    labels = np.asarray(
        decode_map(read_bytes(manifest.root, record.semantic_map), record.semantic_map.segments)
    )
    assert labels[:, :4].max() == 0
    assert (labels[:, 4:] == 1).all()


def test_the_folder_of_pictures_can_be_given(coco, tmp_path):
    path = coco("instances", [instance()])
    (tmp_path / "val").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="give the folder of the pictures"):
        convert_coco(path)
    [record] = convert_coco(path, tmp_path / "elsewhere")
    assert record.file == "elsewhere/9.jpg"


def test_a_box_without_area_is_reported(coco):
    manifest = convert_coco(coco("instances", [instance(bbox=[0, 0, 0, 2])]))
    assert manifest[0].boxes == ()
    assert "no area" in manifest.skipped[0].reason


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ([instance(category_id=99)], "annotation 1: category 99 is not listed"),
        ([{"bbox": [0, 0, 1, 1], "image_id": 9}], "category None is not listed"),
        ([instance(bbox=None)], "expected a box x, y, width, height"),
    ],
)
def test_invalid_annotations_are_an_error(coco, annotations, message):
    path = coco("instances", annotations)
    if "expected a box" in message:
        assert message in convert_coco(path).skipped[0].reason
        return
    with pytest.raises(DataError, match=message):
        convert_coco(path)


def test_other_json_is_an_error(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("[]")
    with pytest.raises(DataError, match="expected annotations of COCO"):
        open_manifest(path)
