"""`latelier ray cache` fills the cache of `latelier data cache`."""

import json

import yaml


def test_workers_fill_a_cache_that_is_complete(cli, tiny_training, tmp_path):
    data = {**tiny_training["data"], "length": 600, "cache": {"folder": "latents"}}
    values = {**tiny_training, "out": "run", "steps": 1, "batch_size": 2, "data": data}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))

    done = cli("ray", "cache", "denoiser", "config.yaml", "--workers", 2, "--json")

    assert done.status == 0, done.err
    assert json.loads(done.out)["written"] == 600
    assert len(list((tmp_path / "latents").rglob("*.safetensors"))) == 3  # of 256 views and less
    check = cli("data", "cache", "denoiser", "config.yaml", "--check", "--json")
    assert (check.status, json.loads(check.out)["present"]) == (0, 600)
    again = cli("ray", "cache", "denoiser", "config.yaml", "--workers", 2, "--json")
    assert json.loads(again.out)["written"] == 0
