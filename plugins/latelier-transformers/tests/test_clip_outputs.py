"""What other models take of CLIP: other layers, vectors, null parts. Equal to transformers."""

import pytest
import torch
from latelier import PictureGeometry
from latelier_conditioners.text.inputs import Text
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.inputs import ClipTextConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))
TEXTS = ["a red cat", "the blue dog on the sea!", "a"]


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.fixture
def encoded(new_clip, clip_tokenizer):
    """Return the part of a conditioner and transformers' outputs for the same ids."""

    def encode(**changes):
        conditioner = new_clip(**changes)
        conditioner.set_assets(clip_tokenizer)
        tokens = conditioner.prepare([Text(text=text) for text in TEXTS], GEOMETRY)["tokens"]
        state = conditioner.state_dict()
        width = conditioner.config.hidden_size
        state.setdefault("text_projection.weight", torch.zeros(width, width))
        config = CLIPTextConfig(**conditioner.config.network(), projection_dim=width)
        model = CLIPTextModelWithProjection(config).eval()
        model.load_state_dict(state)
        with torch.no_grad():
            part = conditioner({"tokens": tokens}, GEOMETRY)
            return part, model(tokens, output_hidden_states=True), model.text_model(tokens)

    return encode


@pytest.mark.parametrize("padding", ["end", "0"])
def test_sdxl_takes_the_layer_before_the_last_and_a_projected_vector(encoded, clip_config, padding):
    pad = clip_config["eos_token_id"] if padding == "end" else 0
    part, theirs, _ = encoded(
        layer="penultimate", final_norm=False, pooled="projected", pad_token_id=pad
    )
    close(part.stream.tokens, theirs.hidden_states[-2])
    close(part.vector, theirs.text_embeds)
    assert part.vector.std(0).min() > 1e-3


def test_flux_takes_the_end_token_alone(encoded):
    part, _, theirs = encoded(layer="none", pooled="token")
    assert part.stream is None
    close(part.vector, theirs.pooler_output)


def test_the_last_layer_may_be_without_the_final_norm(encoded):
    part, theirs, _ = encoded(final_norm=False)
    close(part.stream.tokens, theirs.hidden_states[-1])
    assert part.vector is None


def test_learnt_words_are_not_taken_for_the_end(new_clip, clip_config):
    size = clip_config["vocab_size"]
    conditioner = new_clip(vocab_size=size + 1, layer="none", pooled="token")
    start, end = clip_config["bos_token_id"], clip_config["eos_token_id"]
    row = torch.tensor([[start, 5, size, 7, *[end] * 8]])
    other = row.clone()
    other[0, 5:] = 3  # nothing after the end counts
    vectors = [conditioner({"tokens": each}, GEOMETRY).vector for each in (row, other)]
    close(*vectors)
    other[0, 3] = 8
    assert (conditioner({"tokens": other}, GEOMETRY).vector - vectors[0]).abs().max() > 1e-2


@pytest.mark.parametrize("layer", ["last", "none"])
def test_the_null_part_may_be_zeros(new_clip, layer):
    null = new_clip(layer=layer, pooled="projected", null="zeros").null(3, GEOMETRY)
    assert null.vector.shape == (3, 16)
    assert (null.stream is None) == (layer == "none")
    for tensor in null.tensors().values():
        assert not tensor.any()
        assert tensor.shape[0] == 3


def test_the_null_vector_is_that_of_the_empty_text(new_clip, clip_tokenizer):
    conditioner = new_clip(pooled="projected")
    conditioner.set_assets(clip_tokenizer)
    empty = conditioner.prepare([Text.model_construct(text="")], GEOMETRY)
    close(conditioner.null(2, GEOMETRY).vector[1:], conditioner(empty, GEOMETRY).vector)


def test_a_conditioner_of_nothing_is_refused(clip_config):
    with pytest.raises(ValueError, match="layer='none' gives no stream and pooled='none' no"):
        ClipTextConfig(**clip_config, layer="none")


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({"pooled": "projected"}, 123_650_304),
        (
            {
                "hidden_size": 1280,
                "intermediate_size": 5120,
                "num_hidden_layers": 32,
                "num_attention_heads": 20,
                "hidden_act": "gelu",
                "pooled": "projected",
            },
            694_659_840,
        ),
    ],
    ids=["ViT-L", "bigG"],
)
def test_sizes_match_the_publications(fields, count):
    with torch.device("meta"):
        conditioner = ClipTextConditioner(ClipTextConfig(**fields))
    assert sum(p.numel() for p in conditioner.parameters()) == count
