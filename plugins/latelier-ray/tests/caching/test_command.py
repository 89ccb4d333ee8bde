"""`latelier ray cache` fills the cache of `latelier data cache`."""

import json

import yaml
from latelier.checkpoints.component import new_component, save_component
from latelier.kernel.default import default_atelier

DENOISER = {
    "in_channels": 3,
    "out_channels": 3,
    "model_channels": 8,
    "channel_mult": [1],
    "num_res_blocks": 1,
    "num_heads": 1,
    "num_groups": 4,
}


def test_workers_fill_a_cache_that_is_complete(cli, tmp_path):
    stage = tmp_path / "identity"
    save_component(stage, new_component("first_stage", "identity", {}, default_atelier()))
    values = {
        "out": "run",
        "steps": 1,
        "batch_size": 2,
        "accelerator": "cpu",
        "first_stage": str(stage),
        "denoiser": {"id": "unet", "config": DENOISER},
        "data": {"config": {"size": 16}, "length": 600, "cache": {"folder": "latents"}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(values))

    done = cli("ray", "cache", "denoiser", "config.yaml", "--workers", 2, "--json")

    assert done.status == 0, done.err
    assert json.loads(done.out)["written"] == 600
    assert len(list((tmp_path / "latents").rglob("*.safetensors"))) == 3  # of 256 views and less
    check = cli("data", "cache", "denoiser", "config.yaml", "--check", "--json")
    assert (check.status, json.loads(check.out)["present"]) == (0, 600)
    again = cli("ray", "cache", "denoiser", "config.yaml", "--workers", 2, "--json")
    assert json.loads(again.out)["written"] == 0
