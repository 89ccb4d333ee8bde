"""A transformer trains by configuration alone, through the command line."""

from pathlib import Path

import pytest

from latelier import default_atelier, load
from latelier.checkpoints.component import new_component, save_component
from latelier.cli.main import main

CONFIG = """
out: run
steps: 4
batch_size: 3
precision: {precision}
accelerator: cpu
sheet_every: 100
log_every: 2
fit_samples: 300
data: {{config: {{size: 16}}}}
optimizer: {{lr: 0.01}}
schedule: {{kind: cosine, warmup: 1}}
first_stage: first-stage
denoiser:
  id: transformer
  config:
    in_channels: 4
    out_channels: 4
    input_size: 8
    hidden_size: 16
    depth: 2
    num_heads: 2
    context_dim: 8
    streams:
      text: {{width: 8, injection: native}}
    vectors: {{class_label: 16}}
    native_vectors: [class_label]
conditioners:
  text:
    id: text
    source: prompt
    config: {{width: 8, layers: 1, heads: 2, vocab_size: 400}}
  class_label:
    id: class_label
    source: class_label
    config: {{num_classes: 512, width: 16, slot: vector}}
process: {{kind: rectified_flow}}
defaults: {{steps: 2}}
"""


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_training_reduces_the_loss_and_generates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.chdir(tmp_path)
    config = {"ch": 8, "ch_mult": [1, 2], "num_res_blocks": 1, "num_groups": 4}
    first_stage = new_component("first_stage", "autoencoder_kl", config, default_atelier())
    save_component(Path("first-stage"), first_stage)
    Path("config.yaml").write_text(CONFIG.format(precision=precision))
    with pytest.raises(SystemExit) as ended:
        main(["train", "denoiser", "config.yaml"])
    assert not ended.value.code
    pipeline = load("run/result", device="cpu")
    assert type(pipeline.denoiser).__name__ == "Transformer"
    # it began at zero, so that what is not zero has been learnt
    for name in (
        "final_layer.linear",
        "blocks.0.adaLN_modulation.1",
        "blocks.1.cross_attn.to_out.0",
    ):
        weight = pipeline.denoiser.get_submodule(name).get_parameter("weight")
        assert weight.isfinite().all()
        assert weight.abs().max() > 1e-5, name
    pictures = pipeline.generate(prompt="a cat", class_label=3, seed=1, size=(24, 16))
    assert pictures[0].image.size == (24, 16)
