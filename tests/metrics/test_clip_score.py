"""The CLIP score of latelier-transformers, beside that of torchmetrics."""

import pytest
import torch

from latelier.contracts.measures import EvaluatedPictures

SIDE = 32
PROMPTS = ["a red cat, in a meadow!", "two white dogs"]


@pytest.fixture
def folder(with_clip, tmp_path):
    """A small CLIP with CLIP's own vocabulary; its weights are random."""
    from latelier_transformers.clip_text.published_vocabulary import published_vocabulary
    from transformers import CLIPConfig, CLIPModel

    sizes = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    tokens = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
    config = CLIPConfig(
        text_config={**sizes, **tokens, "hidden_size": 16},
        vision_config={**sizes, "hidden_size": 24, "image_size": SIDE, "patch_size": 8},
        projection_dim=12,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = CLIPModel(config)
        for weights in model.parameters():
            torch.nn.init.normal_(weights, mean=0.05, std=0.1)
    model.save_pretrained(tmp_path)
    for name, data in published_vocabulary().files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


class Records:
    network = ""

    def __init__(self, columns):
        self.columns, self.count = columns, len(PROMPTS)

    def column(self, name):
        return self.columns[name]


def test_it_agrees_with_torchmetrics(with_clip, folder, run_peer):
    generator = torch.Generator().manual_seed(4)
    images = torch.randint(256, (2, 3, 50, 70), generator=generator).to(torch.uint8)
    measure = with_clip.measures.build("clip_score", {"weights": str(folder)})
    samples = [{"prompt": prompt} for prompt in PROMPTS]
    columns = measure.record(EvaluatedPictures(images, samples))
    [figure] = measure.compute(Records(columns), None)
    expected = run_peer(
        "clip:clip_score", folder=str(folder), side=SIDE, images=images, prompts=PROMPTS
    )
    assert expected > 1
    assert figure.value == pytest.approx(expected, rel=1e-5)
