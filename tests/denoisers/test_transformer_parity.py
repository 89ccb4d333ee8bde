"""The same weights give what diffusers' DiTTransformer2DModel gives.

It differs from the published models in two numbers, which are put right here: the frequencies of
the timestep's sinusoids end at 1e-4 instead of short of it, and the feed-forward's norm has by
default an epsilon of 1e-5. It also holds the embeddings of timestep and class once in each block.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latelier.contracts.condition import Condition
from latelier.denoisers.configs import TransformerConfig
from latelier.denoisers.transformer import Transformer

dit = pytest.importorskip("diffusers.models.transformers.dit_transformer_2d")

BLOCK = {
    "adaLN_modulation.1": "norm1.linear",
    "attn.proj": "attn1.to_out.0",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
}
ENDS = {
    "x_embedder.proj": "pos_embed.proj",
    "final_layer.adaLN_modulation.1": "proj_out_1",
    "final_layer.linear": "proj_out_2",
}
EMBEDDER = {"t_embedder.mlp.0": "linear_1", "t_embedder.mlp.2": "linear_2"}


def translated(model: Transformer, table: Tensor) -> dict[str, Tensor]:
    """Return the state dict of a model, and the table of its classes, under diffusers' names."""
    result: dict[str, Tensor] = {}
    depths = range(model.config.depth)
    for key, value in model.state_dict().items():
        stem, _, leaf = key.rpartition(".")
        if stem in EMBEDDER:
            for d in depths:
                embedder = f"transformer_blocks.{d}.norm1.emb.timestep_embedder"
                result[f"{embedder}.{EMBEDDER[stem]}.{leaf}"] = value
        elif stem in ENDS:
            result[f"{ENDS[stem]}.{leaf}"] = value
        else:
            _, d, part = stem.split(".", 2)
            block = f"transformer_blocks.{d}"
            if part == "attn.qkv":
                for name, third in zip("qkv", value.chunk(3), strict=True):
                    result[f"{block}.attn1.to_{name}.{leaf}"] = third
            else:
                result[f"{block}.{BLOCK[part]}.{leaf}"] = value
    for d in depths:
        result[f"transformer_blocks.{d}.norm1.emb.class_embedder.embedding_table.weight"] = table
    return result


def theirs_for(config: TransformerConfig, classes: int) -> Any:
    model = dit.DiTTransformer2DModel(
        num_attention_heads=config.num_heads,
        attention_head_dim=config.hidden_size // config.num_heads,
        in_channels=config.in_channels,
        out_channels=config.out_channels * (2 if config.learn_sigma else 1),
        num_layers=config.depth,
        sample_size=config.input_size,
        patch_size=config.patch_size,
        num_embeds_ada_norm=classes,
        norm_eps=1e-6,
    )
    for block in model.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    return model.eval()


@pytest.mark.parametrize(
    "options",
    [
        {"learn_sigma": True},
        {"patch_size": 4, "num_heads": 2},
        {"patch_size": 1, "input_size": 8, "depth": 1},
    ],
)
def test_output_equals_the_original_at_reduced_width(
    filled: Callable[..., nn.Module], options: dict[str, Any]
) -> None:
    values: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 4,
        "input_size": 16,
        "hidden_size": 64,
        "depth": 3,
        "num_heads": 4,
        "vectors": {"class_label": 64},
        "native_vectors": ("class_label",),
        **options,
    }
    config = TransformerConfig.model_validate(values)
    ours = filled(Transformer(config))
    assert isinstance(ours, Transformer)
    generator = torch.Generator().manual_seed(3)
    table = torch.randn(11, 64, generator=generator)
    x = torch.randn(2, 4, config.input_size, config.input_size, generator=generator)
    t, labels = torch.tensor([17.0, 803.0]), torch.tensor([10, 2])
    theirs = theirs_for(config, classes=10)
    theirs.load_state_dict(translated(ours, table))
    with torch.no_grad():
        expected = theirs(x, t, labels).sample[:, :4]
        result = ours(x, t, Condition({}, {}, {"class_label": table[labels]}))
    assert expected.std() > 0.1
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=2e-5)
