"""What pictures are compared of."""

import pytest
from PIL import Image

from latelier.contracts.errors import DataError, InvalidInputError
from latelier.evaluation.comparison_sheet.samples import read_data, read_prompts
from latelier.evaluation.protocol.data import EvaluationData


def test_prompts_are_the_lines_with_text(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("  a cat \n\nein Löwe\n", encoding="utf-8")
    assert read_prompts(file) == [{"prompt": "a cat"}, {"prompt": "ein Löwe"}]


@pytest.mark.parametrize(
    ("content", "reason"), [(b"\n \n", "found none"), (b"\xff\xfe", "no text in UTF-8")]
)
def test_a_file_without_prompts_is_an_error(tmp_path, content, reason):
    file = tmp_path / "prompts.txt"
    file.write_bytes(content)
    with pytest.raises(InvalidInputError, match=f"prompts.txt: .*{reason}"):
        read_prompts(file)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InvalidInputError, match="absent: cannot be read: No such file"):
        read_prompts(tmp_path / "absent")


def test_built_in_scenes_have_captions_pictures_and_themselves():
    samples = read_data(EvaluationData(), 3, {"prompt"})
    assert [sample["prompt"] for sample in samples] == [
        sample["scene"].caption for sample in samples
    ]
    assert samples[0]["image"].shape == (3, 64, 64)


def test_a_damaged_picture_of_the_data_is_an_error(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    for name in "12":
        (tmp_path / f"{name}.txt").write_text("a cat")
    with pytest.raises(InvalidInputError, match="a picture cannot be used"):
        read_data(EvaluationData(path=tmp_path), 2, {"prompt", "image"})


def test_pictures_of_several_sizes_are_no_fault_where_captions_are_needed_alone(tmp_path):
    for side in (8, 9):
        Image.new("RGB", (side, side)).save(tmp_path / f"{side}.png")
        (tmp_path / f"{side}.txt").write_text(f"a cat of {side}")
    data = EvaluationData(path=tmp_path)
    samples = read_data(data, 2, {"prompt"})
    assert [sample["prompt"] for sample in samples] == ["a cat of 8", "a cat of 9"]
    with pytest.raises(DataError, match="set the size"):
        read_data(data, 2, {"prompt", "image"})
    sized = read_data(data.model_copy(update={"size": 4}), 2, {"prompt", "image"})
    assert [tuple(sample["image"].shape) for sample in sized] == [(3, 4, 4)] * 2
