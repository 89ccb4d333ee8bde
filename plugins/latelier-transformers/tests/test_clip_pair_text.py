"""The pair of text encoders gives what diffusers' pipeline of SDXL encodes."""

import pytest
import torch
from latelier import PictureGeometry
from latelier.contracts.errors import InvalidConfigError
from latelier_conditioners.text.inputs import Text
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from latelier_transformers.clip_pair_text.conditioner import ClipPairTextConditioner
from latelier_transformers.clip_pair_text.inputs import ClipPairTextConfig

from .conftest import scrambled

GEOMETRY = PictureGeometry((64, 64), (16, 16))
PROMPTS = ["a red cat", "the blue dog on the sea"]


@pytest.fixture
def new_pair(pair_config, clip_tokenizer):
    """Build a small pair with its tokenizer."""

    def build(**changes):
        pair = ClipPairTextConditioner(ClipPairTextConfig(**{**pair_config, **changes}))
        scrambled(pair)
        pair.set_assets(clip_tokenizer)
        return pair.eval()

    return build


@pytest.fixture
def pipeline(clip_tokenizer, tmp_path):
    """Return diffusers' pipeline around the encoders of a pair; it has nothing else."""
    diffusers = pytest.importorskip("diffusers")

    def build(pair, force_zeros):
        tokenizers = []
        for name, token in (("one", "<|endoftext|>"), ("two", "!")):
            (tmp_path / name).mkdir()
            for file, data in clip_tokenizer.items():
                (tmp_path / name / file).write_bytes(data)
            length = pair.config.clip_l.max_position_embeddings
            tokenizers.append(
                CLIPTokenizer.from_pretrained(
                    tmp_path / name, pad_token=token, model_max_length=length
                )
            )
        one = CLIPTextModel(CLIPTextConfig(**pair.config.clip_l.network()))
        width = pair.config.clip_g.hidden_size
        network = CLIPTextConfig(**pair.config.clip_g.network(), projection_dim=width)
        two = CLIPTextModelWithProjection(network)
        state = pair.clip_l.state_dict()
        one.load_state_dict({k.removeprefix("text_model."): v for k, v in state.items()})
        two.load_state_dict(pair.clip_g.state_dict())
        return diffusers.StableDiffusionXLPipeline(
            vae=None,
            text_encoder=one.eval(),
            text_encoder_2=two.eval(),
            tokenizer=tokenizers[0],
            tokenizer_2=tokenizers[1],
            unet=None,
            scheduler=diffusers.EulerDiscreteScheduler(),
            force_zeros_for_empty_prompt=force_zeros,
            add_watermarker=False,
        )

    return build


@pytest.mark.parametrize("null", ["zeros", "empty"])
def test_prompts_are_encoded_as_by_diffusers(new_pair, pipeline, pair_config, null):
    encoders = {name: {**fields, "null": null} for name, fields in pair_config.items()}
    pair = new_pair(**encoders)
    with torch.no_grad():
        theirs = pipeline(pair, force_zeros=null == "zeros").encode_prompt(PROMPTS, device="cpu")
        part, none = pair.encode(PROMPTS), pair.null(2, GEOMETRY)
    ours = part.stream.tokens, none.stream.tokens, part.vector, none.vector
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)
    assert bool(none.vector.any()) == (null == "empty")


def test_the_stream_is_filled_with_zeros(new_pair):
    part, padded = new_pair().encode(PROMPTS), new_pair(width=48).encode(PROMPTS)
    assert padded.stream.tokens.shape == (2, 12, 48)
    assert new_pair(width=48).config.outputs().stream == 48
    assert torch.equal(padded.stream.tokens[..., :40], part.stream.tokens)
    assert not padded.stream.tokens[..., 40:].any()


def test_vectors_are_joined(new_pair, pair_config):
    """As in SD3, whose CLIPs both have one."""
    pair = new_pair(clip_l={**pair_config["clip_l"], "pooled": "projected"})
    assert pair.config.outputs().vector == 40
    part = pair.encode(PROMPTS)
    prepared = pair.clip_l.prepare([Text(text=each) for each in PROMPTS], GEOMETRY)
    assert torch.equal(part.vector[:, :16], pair.clip_l(prepared, GEOMETRY).vector)


def test_both_have_one_tokenizer(new_pair, pair_config, clip_tokenizer):
    pair = new_pair()
    assert pair.assets() == clip_tokenizer
    tokens = pair.prepare([Text(text="a cat")], GEOMETRY)
    one, two = (tokens[f"{name}.tokens"][0].tolist() for name in ("clip_l", "clip_g"))
    assert one[:4] == two[:4]
    assert one[4:] == [pair_config["clip_l"]["eos_token_id"]] * 8
    assert two[4:] == [0] * 8
    with pytest.raises(InvalidConfigError, match="has no tokenizer"):
        ClipPairTextConditioner(ClipPairTextConfig(**pair_config)).encode(["a"])


def test_weights_and_chunks_are_those_of_each_encoder(new_pair, pair_config):
    encoders = {name: {**each, "prompt_syntax": "a1111"} for name, each in pair_config.items()}
    pair = new_pair(**encoders)
    prompts = ["a (red:1.4) cat BREAK the sea", "a dog"]
    part = pair.encode(prompts)
    alone = [each.encode(prompts) for each in (pair.clip_l, pair.clip_g)]
    assert torch.equal(part.stream.tokens, torch.cat([each.stream.tokens for each in alone], -1))
    assert part.stream.mask.sum(1).tolist() == [24, 12]
    assert torch.equal(part.vector, alone[1].vector)
    assert pair.check(Text(text="a AND b"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 39}, "width=39 is below 40"),
        ({"clip_l": {"layer": "none", "pooled": "token"}}, "layer='none' gives no stream"),
        ({"clip_g": {"max_position_embeddings": 20}}, "max_position_embeddings differ: 12 and 20"),
        ({"clip_l": {"prompt_syntax": "a1111"}}, "prompt_syntax differ: a1111 and plain"),
    ],
)
def test_pairs_that_cannot_be_joined_are_refused(pair_config, changes, message):
    fields = {
        name: {**pair_config[name], **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    with pytest.raises(ValueError, match=message):
        ClipPairTextConfig(**{**pair_config, **fields})


def test_the_size_is_that_of_sdxl():
    outputs = {"layer": "penultimate", "final_norm": False, "null": "zeros"}
    big = {"hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32}
    big |= {"num_attention_heads": 20, "hidden_act": "gelu", "pad_token_id": 0}
    config = ClipPairTextConfig(clip_l=outputs, clip_g={**big, **outputs, "pooled": "projected"})
    assert config.outputs().model_dump(exclude_none=True) == {"stream": 2048, "vector": 1280}
    with torch.device("meta"):
        pair = ClipPairTextConditioner(config)
    assert sum(p.numel() for p in pair.parameters()) == 123_060_480 + 694_659_840
