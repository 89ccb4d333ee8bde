"""Weight files."""

import torch

from latelier.checkpoints.weights import read_weights, write_weights


def test_a_weight_file_can_be_read_by_whoever_reads_the_other_files(tmp_path):
    other = tmp_path / "other.json"
    other.touch()
    path = tmp_path / "a.safetensors"
    write_weights(path, {"w": torch.arange(3.0)})
    assert path.stat().st_mode == other.stat().st_mode
    assert read_weights(path)["w"].tolist() == [0, 1, 2]
