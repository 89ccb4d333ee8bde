import os
import subprocess
import sys

import pytest
from latelier.contracts.errors import ModelFileError

from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.published_configs import clip_text_fields, t5_text_fields
from latelier_transformers.t5_text.inputs import T5TextConfig

VOCAB = {"!": 0, "<|startoftext|>": 49406, "<|endoftext|>": 49407}
CLIP = {
    "architectures": ["CLIPTextModel"],
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_act": "quick_gelu",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "vocab_size": 49408,
}
T5 = {"d_model": 512, "d_ff": 2048, "num_layers": 6, "num_heads": 8, "model_type": "t5"}


def test_stable_diffusion_1_is_the_default():
    special = {"pad_token": {"content": "<|endoftext|>", "lstrip": False}}
    for tokens in (None, {}, special):
        assert ClipTextConfig(**clip_text_fields(CLIP, VOCAB, tokens)) == ClipTextConfig()


def test_stable_diffusion_2_pads_with_token_0():
    sizes = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
    config = {**CLIP, **sizes, "num_hidden_layers": 23, "hidden_act": "gelu"}
    found = ClipTextConfig(**clip_text_fields(config, VOCAB, {"pad_token": "!"}))
    assert found == ClipTextConfig(**sizes, num_hidden_layers=23, hidden_act="gelu", pad_token_id=0)


def test_the_first_t5_has_relu_and_later_ones_their_activation():
    assert T5TextConfig(**t5_text_fields(T5)).feed_forward_proj == "relu"
    found = T5TextConfig(**t5_text_fields({**T5, "feed_forward_proj": "gated-gelu", "d_kv": 32}))
    assert (found.feed_forward_proj, found.d_kv, found.num_layers) == ("gated-gelu", 32, 6)


def test_fields_of_our_own_are_not_taken_from_published_configurations():
    own = {"layer": "none", "final_norm": False, "pooled": "token", "prompt_syntax": "a1111"}
    assert clip_text_fields({**CLIP, **own}, VOCAB) == clip_text_fields(CLIP, VOCAB)
    assert t5_text_fields({**T5, "max_length": 20, "padding": "kept"}) == t5_text_fields(T5)


def test_missing_values_are_named():
    without = {name: value for name, value in CLIP.items() if name != "hidden_size"}
    with pytest.raises(ModelFileError, match=r"config\.json: the field 'hidden_size' is missing"):
        clip_text_fields(without, VOCAB)
    with pytest.raises(ModelFileError, match=r"vocab\.json: there is no token '<\|endoftext\|>'"):
        clip_text_fields(CLIP, {"<|startoftext|>": 5})
    with pytest.raises(ModelFileError, match="'d_ff' is missing"):
        t5_text_fields({"d_model": 512})


def test_it_needs_neither_torch_nor_transformers():
    code = (
        "import sys, latelier_transformers.published_configs; "
        "sys.exit(bool({'torch', 'transformers'} & sys.modules.keys()))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 0
