"""`latelier ray evaluate` has the results of `latelier evaluate run`, and shares its chunks."""

import json
import shutil

import yaml

CONFIG = {
    "task": "unconditional",
    "model": "emoji-scenes",
    "generate": {"steps": 1},
    "pictures": 50,
    "batch_size": 5,
    "chunk_size": 10,
    "measures": ["inception_score"],
    "device": "cpu",
}


def read_results(folder):
    results = json.loads((folder / "results.json").read_text())
    chunks = sorted((folder / "chunks").iterdir())
    return results["figures"], {path.name: path.read_bytes() for path in chunks}


def test_workers_have_the_results_of_one_process_and_go_on_with_its_chunks(cli, tmp_path):
    path = tmp_path / "text.yaml"
    path.write_text(yaml.safe_dump({**CONFIG, "out": "one"}))
    assert cli("evaluate", "run", path).status == 0
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    for number in (1, 3, 4):
        next((tmp_path / "two" / "chunks").glob(f"*{number}.*")).unlink()

    done = cli("ray", "evaluate", path, "--out", "two", "--workers", 2)

    assert done.status == 0, done.err
    assert read_results(tmp_path / "two") == read_results(tmp_path / "one")


def test_nothing_is_evaluated_without_a_cluster(cli, tmp_path):
    (tmp_path / "text.yaml").write_text(yaml.safe_dump({**CONFIG, "out": "one"}))
    done = cli("ray", "evaluate", "text.yaml", "--cluster", "127.0.0.1:9")
    assert done.status == 2
    assert "no cluster of Ray answers" in done.err
    assert not (tmp_path / "one").exists()
