import json

from latelier.training.data.report import DataReport


def test_half_a_line_of_a_full_disk_stays_apart_from_the_next(tmp_path):
    path = tmp_path / "data-report.jsonl"
    report = DataReport(path)
    report.add("pictures", "one.png", "damaged")
    with path.open("a") as file:
        file.write('{"source": "pic')  # what a full disk took of a line
    report.add("pictures", "three.png", "damaged")
    first, _, last = path.read_text().splitlines()
    assert [json.loads(line)["sample"] for line in (first, last)] == ["one.png", "three.png"]
