"""Weights and chunks in the encoders: reference numbers from transformers' own states."""

import json

import pytest
import torch
from latelier import PictureGeometry
from latelier.contracts.condition import Condition, concat
from latelier.contracts.errors import InvalidInputError
from latelier_conditioners.text.inputs import Text
from transformers import CLIPTextConfig, CLIPTextModel

from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.textual_inversion.words import with_words

GEOMETRY = PictureGeometry((64, 64), (16, 16))
LONG = "a red cat in the sea the dog in a red sea"  # 12 tokens, 10 fit


@pytest.fixture
def new(new_clip, clip_tokenizer):
    """Build a small CLIP with its tokenizer."""

    def build(**changes):
        conditioner = new_clip(**changes)
        conditioner.set_assets(clip_tokenizer)
        return conditioner

    return build


@pytest.fixture
def states_of(clip_tokenizer, clip_config):
    """Return transformers' states (N, D) of words in a row of tokens that ends with `end`."""
    ids = json.loads(clip_tokenizer["vocab.json"])
    start, end = clip_config["bos_token_id"], clip_config["eos_token_id"]

    def states(conditioner, words):
        row = [start, *(ids[f"{word}</w>"] for word in words.split()), end]
        row += [conditioner.config.pad_token_id] * (12 - len(row))
        model = CLIPTextModel(CLIPTextConfig(**conditioner.config.network())).eval()
        state = conditioner.state_dict()
        model.load_state_dict({k.removeprefix("text_model."): v for k, v in state.items()})
        with torch.no_grad():
            return model(torch.tensor([row])).last_hidden_state[0]

    return states


def test_a1111_multiplies_and_restores_the_mean(new, states_of):
    conditioner = new(prompt_syntax="a1111")
    part = conditioner.encode(["a (red:1.5) cat [in] the (sea"])
    states = states_of(conditioner, "a red cat in the sea")
    weights = torch.tensor([1, 1, 1.5, 1, 1 / 1.1, 1, 1.1, 1, 1, 1, 1, 1])
    weighted = states * weights[:, None]
    expected = weighted * (states.mean() / weighted.mean())
    assert part.stream.mask is None
    torch.testing.assert_close(part.stream.tokens[0], expected, rtol=1e-5, atol=1e-5)


def test_a_mean_of_zero_is_not_restored(clip_config, clip_tokenizer):
    """A new encoder's last norm makes it zero, and the quotient of two of them is noise."""
    fresh = ClipTextConditioner(ClipTextConfig(**clip_config, prompt_syntax="a1111")).eval()
    fresh.set_assets(clip_tokenizer)
    plain, part = fresh.encode(["a red cat"]), fresh.encode(["a (red:1.5) cat"])
    weights = torch.tensor([1, 1, 1.5, *[1] * 9])[:, None]
    torch.testing.assert_close(part.stream.tokens[0], plain.stream.tokens[0] * weights)


def test_comfyui_interpolates_from_the_empty_text(new, states_of):
    conditioner = new(prompt_syntax="comfyui", pad_token_id=0)
    part = conditioner.encode(["a (red:1.5) cat (in:0.5) the (sea)"])
    states, empty = (states_of(conditioner, words) for words in ("a red cat in the sea", ""))
    weights = torch.tensor([1, 1, 1.5, 1, 0.5, 1, 1.1, 1, 1, 1, 1, 1])[:, None]
    expected = empty + weights * (states - empty)
    torch.testing.assert_close(part.stream.tokens[0], expected, rtol=1e-5, atol=1e-5)
    unweighted, is_one = conditioner.encode(["a red cat in the sea"]), weights[:, 0] == 1
    assert torch.equal(part.stream.tokens[0, is_one], unweighted.stream.tokens[0, is_one])


@pytest.mark.parametrize("syntax", ["a1111", "comfyui"])
def test_without_marks_nothing_changes(new, syntax):
    plain, other = new(), new(prompt_syntax=syntax)
    texts = ["a red cat", "the blue dog"]
    assert torch.equal(other.encode(texts).stream.tokens, plain.encode(texts).stream.tokens)


def test_plain_brackets_are_words(new):
    rows = new().prepare([Text(text="(cat)"), Text(text="cat")], GEOMETRY)["tokens"]
    assert rows.shape == (2, 12)
    assert not torch.equal(*rows)
    with pytest.raises(InvalidInputError, match="has 12 tokens, but at most 10 fit"):
        new().encode([LONG])


@pytest.mark.parametrize("syntax", ["a1111", "comfyui"])
def test_long_prompts_are_encoded_in_chunks(new, states_of, syntax):
    conditioner = new(prompt_syntax=syntax)
    part = conditioner.encode([LONG])
    words = LONG.split()
    first = states_of(conditioner, " ".join(words[:10]))
    second = states_of(conditioner, " ".join(words[10:]))
    assert part.stream.tokens.shape == (1, 24, 16)
    assert part.stream.mask is None
    torch.testing.assert_close(part.stream.tokens[0], torch.cat([first, second]))


def test_each_chunk_has_its_own_mean(new, states_of):
    conditioner = new(prompt_syntax="a1111")
    part = conditioner.encode(["(cat:2) BREAK a (dog:0.5)"])
    expected = []
    for words, weights in (("cat", [1, 2, *[1] * 10]), ("a dog", [1, 1, 0.5, *[1] * 9])):
        states = states_of(conditioner, words)
        weighted = states * torch.tensor(weights)[:, None]
        expected.append(weighted * (states.mean() / weighted.mean()))
    torch.testing.assert_close(part.stream.tokens[0], torch.cat(expected), rtol=1e-5, atol=1e-5)


def test_missing_chunks_of_a_batch_are_masked(new):
    conditioner = new(prompt_syntax="a1111", pooled="token")
    together = conditioner.encode(["a (cat:1.3)", LONG, "a BREAK dog BREAK sea"])
    assert together.stream.tokens.shape == (3, 36, 16)
    assert together.stream.mask.sum(1).tolist() == [12, 24, 36]
    for row, text in enumerate(["a (cat:1.3)", LONG, "a BREAK dog BREAK sea"]):
        alone = conditioner.encode([text])
        length = alone.stream.tokens.shape[1]
        tokens = together.stream.tokens[row, :length]
        torch.testing.assert_close(tokens, alone.stream.tokens[0], rtol=1e-5, atol=1e-5)
        assert together.stream.mask[row, :length].all()
        torch.testing.assert_close(together.vector[row], alone.vector[0], rtol=1e-5, atol=1e-5)


def test_the_vector_is_that_of_the_first_chunk_without_weights(new):
    conditioner = new(prompt_syntax="a1111", pooled="projected")
    part = conditioner.encode(["a (cat:1.9) BREAK dog"])
    torch.testing.assert_close(part.vector, conditioner.encode(["a cat"]).vector)
    alone = new(prompt_syntax="a1111", pooled="projected", layer="none")
    assert torch.equal(alone.encode(["a (cat:1.9) BREAK dog"]).vector, part.vector)


def test_a_longer_prompt_meets_a_shorter_null(new):
    conditioner = new(prompt_syntax="a1111")
    parts = conditioner.encode([LONG]), conditioner.null(1, GEOMETRY)
    both = concat([Condition.of({"text": part}) for part in parts])
    assert both.streams["text"].mask.sum(1).tolist() == [24, 12]


def test_a_prompt_of_too_many_chunks_is_an_error(new):
    conditioner = new(prompt_syntax="a1111")
    assert conditioner.encode(["cat BREAK " * 32]).stream.tokens.shape == (1, 32 * 12, 16)
    with pytest.raises(InvalidInputError, match="has 33 chunks of 10 tokens, but at most 32 fit"):
        conditioner.encode(["BREAK " * 32 + "cat"])


@pytest.mark.parametrize(
    ("syntax", "prompt", "warnings"),
    [
        ("a1111", "a (cat:1.2), [less], BREAK \\[a|b\\]", []),
        ("a1111", "a cat <lora:style:0.8>", ["'<lora:style:0.8>' is read as words: attach"]),
        ("a1111", "<lyco:a> <hypernet:b:1>", ["'<lyco:a>' is read as words: attach"]),
        ("a1111", "<hypernet:b:1>", ["'<hypernet:b:1>' is read as words"]),
        ("a1111", "[cat:dog:0.5]", ["'[cat:dog:0.5]' changes no words from step to step"]),
        ("a1111", "[cat|dog] AND a", ["'[cat|dog]' changes no", "'AND' is read as words"]),
        ("comfyui", "a [cat:dog:0.5]", []),
        ("a1111", "a embedding:toy, b", ["'embedding:toy' is read as words: attach the file"]),
        ("comfyui", "embedding:toy BREAK", ["'BREAK' is read", "'embedding:toy' names no embed"]),
        ("comfyui", "(embedding:toy.pt:1.2)", ["'embedding:toy.pt' names no embedding"]),
        ("plain", "<lora:style:0.8> AND [a|b]", []),
    ],
)
def test_marks_that_are_not_followed_give_a_warning(new, syntax, prompt, warnings):
    found = new(prompt_syntax=syntax).check(Text(text=prompt))
    assert len(found) == len(warnings)
    for warning, start in zip(found, warnings, strict=True):
        assert warning.startswith(start)


def test_an_embedding_of_comfyui_is_its_word(new):
    words = {"Toy": {"clip_l": torch.ones(2, 16)}}
    view = with_words(new(prompt_syntax="comfyui"), words)
    assert not view.check(Text(text="a (embedding:toy:1.2), embedding:Toy.pt"))
    found, expected = (
        view.encode([prompt]).stream.tokens for prompt in ("a (embedding:toy:1.2)", "a (toy:1.2)")
    )
    assert torch.equal(found, expected)


def test_half_precision_stays(new):
    conditioner = new(prompt_syntax="a1111").to(torch.bfloat16)
    assert conditioner.encode(["a (cat:1.3)"]).stream.tokens.dtype == torch.bfloat16
