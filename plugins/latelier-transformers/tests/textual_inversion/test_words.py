"""Views of conditioners with learnt words: equal to a model that was made with these tokens."""

import json

import pytest
import torch
from latelier.contracts.errors import CompatibilityError, InvalidConfigError
from transformers import CLIPTextConfig, CLIPTextModel

from latelier_transformers.clip_pair_text.conditioner import ClipPairTextConditioner
from latelier_transformers.clip_pair_text.inputs import ClipPairTextConfig
from latelier_transformers.textual_inversion.words import with_words

from ..conftest import scrambled

TABLE = "text_model.embeddings.token_embedding.weight"


def vectors(n, width=16):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(n))


def row(conditioner, text):
    [tokens] = conditioner.prepare(
        [conditioner.Input(text=text)],
        torch.nn.Module(),  # no text depends on the geometry
    )["tokens"].tolist()
    return tokens


def test_a_word_stands_for_its_vectors(clip, clip_config):
    view = with_words(clip, {"<toy>": {"clip_l": vectors(3)}, "hat": {"clip_l": vectors(1)}})
    size = clip_config["vocab_size"]
    plain = row(clip, "a red cat")
    assert row(view, "a <toy> red hat cat")[:8] == [
        *plain[:2],
        *range(size, size + 3),
        plain[2],
        size + 3,
        plain[3],
    ]
    state = {k.removeprefix("text_model."): v for k, v in clip.state_dict().items()}
    rows = torch.cat([state["embeddings.token_embedding.weight"], vectors(3), vectors(1)])
    state["embeddings.token_embedding.weight"] = rows
    theirs = CLIPTextModel(CLIPTextConfig(**view.config.network())).eval()
    theirs.load_state_dict(state)
    with torch.no_grad():
        expected = theirs(torch.tensor([row(view, "a <toy> hat")])).last_hidden_state
        found = view.encode(["a <toy> hat"]).stream.tokens
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_only_the_token_table_is_copied(clip):
    before = {name: tensor.clone() for name, tensor in clip.state_dict().items()}
    view = with_words(clip, {"<toy>": {"clip_l": vectors(2)}})
    again = with_words(view, {"hat": {"clip_l": vectors(1)}})
    shared = dict(clip.named_parameters())
    for each in (view, again):
        for name, tensor in each.named_parameters():
            assert (tensor is shared[name]) == (name != TABLE)
    assert all(torch.equal(tensor, before[name]) for name, tensor in clip.state_dict().items())
    sizes = [each.config.vocab_size for each in (clip, view, again)]
    assert sizes == [sizes[0], sizes[0] + 2, sizes[0] + 3]
    assert len(again.state_dict()[TABLE]) == sizes[2]
    assert torch.equal(again.state_dict()[TABLE][sizes[0] : sizes[1]], vectors(2))
    assert "<toy>" not in json.loads(clip.assets().get("added_tokens.json", "{}"))


def test_a_saved_view_reads_the_same(clip, new_clip):
    view = with_words(clip, {"<toy>": {"clip_l": vectors(2)}})
    other = new_clip(vocab_size=view.config.vocab_size)
    other.load_state_dict(view.state_dict())
    other.set_assets(view.assets())
    texts = ["a <toy> cat", "<toy>"]
    assert torch.equal(other.encode(texts).stream.tokens, view.encode(texts).stream.tokens)


def test_rows_without_a_token_are_replaced(new_clip, clip_tokenizer, clip_config):
    size = clip_config["vocab_size"]
    conditioner = new_clip(vocab_size=size + 5)
    conditioner.set_assets(clip_tokenizer)
    view = with_words(conditioner, {"<toy>": {"clip_l": vectors(1)}})
    assert view.config.vocab_size == size + 1
    assert size in row(view, "<toy>")


def test_a_word_of_letters_is_not_found_inside_of_others(clip):
    view = with_words(clip, {"hat": {"clip_l": vectors(1)}})
    number = clip.config.vocab_size
    assert number in row(view, "a Hat, red")
    for text in ("hats", "that", "chat room"):
        assert number not in row(view, text)
        assert row(view, text) == row(clip, text)


def test_words_have_weights(new_clip, clip_tokenizer):
    conditioner = new_clip(prompt_syntax="a1111")
    conditioner.set_assets(clip_tokenizer)
    view = with_words(conditioner, {"bad-hat": {"clip_l": vectors(2)}})
    batch = view.prepare([view.Input(text="a (bad-hat:0.5)")], torch.nn.Module())
    assert batch["weights"][0, 0, :5].tolist() == [1, 1, 0.5, 0.5, 1]
    first = conditioner.config.vocab_size
    assert batch["tokens"][0, 0, 2:4].tolist() == [first, first + 1]


@pytest.fixture
def pair(pair_config, clip_tokenizer):
    made = ClipPairTextConditioner(ClipPairTextConfig(**pair_config)).eval()
    scrambled(made)
    made.set_assets(clip_tokenizer)
    return made


def test_both_encoders_of_a_pair_know_the_word(pair):
    view = with_words(pair, {"<toy>": {"clip_l": vectors(2), "clip_g": vectors(2, 24)}})
    assert isinstance(view, ClipPairTextConditioner)
    for name in ("clip_l", "clip_g"):
        assert getattr(view.config, name).vocab_size == getattr(pair.config, name).vocab_size + 2
    part, plain = view.encode(["a <toy>"]), pair.encode(["a"])
    tokens = part.stream.tokens
    assert torch.equal(tokens[..., :16], view.clip_l.encode(["a <toy>"]).stream.tokens)
    assert torch.equal(tokens[..., 16:], view.clip_g.encode(["a <toy>"]).stream.tokens)
    assert (part.vector - plain.vector).abs().max() > 1e-2
    assert "<toy>" in json.loads(view.assets()["added_tokens.json"])
    assert view.clip_l.text_model.encoder.layers[0].mlp.fc1.weight is (
        pair.clip_l.text_model.encoder.layers[0].mlp.fc1.weight
    )


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        ({"x": {"clip_h": vectors(1, 24)}}, CompatibilityError, r"of width 24 \(clip_h\), and the"),
        ({"x": {"clip_l": vectors(1)}}, InvalidConfigError, "lacks, got 'x': choose another name"),
        ({" ": {"clip_l": vectors(1)}}, InvalidConfigError, "tokenizer lacks, got ' '"),
        (
            {"hat": {"clip_l": vectors(2)}, "hat_2": {"clip_l": vectors(1)}},
            InvalidConfigError,
            "'hat_2' would be read as a token of 'hat'",
        ),
    ],
)
def test_words_that_do_not_fit_are_refused(clip, words, error, message):
    with pytest.raises(error, match=message):
        with_words(clip, words)


def test_a_later_word_is_no_token_of_an_earlier_one(clip):
    view = with_words(clip, {"hat": {"clip_l": vectors(1)}})
    with pytest.raises(InvalidConfigError, match="'hat_1' would be read as a token of 'hat'"):
        with_words(view, {"hat_1": {"clip_l": vectors(1)}})
    apart = with_words(view, {"toy": {"clip_l": vectors(1)}, "hat_1": {"clip_l": vectors(1)}})
    number = clip.config.vocab_size
    assert row(apart, "hat toy hat_1")[1:4] == [number, number + 1, number + 2]


def test_an_embedding_of_one_encoder_does_not_fit_a_pair(pair):
    with pytest.raises(CompatibilityError, match="'<x>' is of clip_l, and the model has a pair"):
        with_words(pair, {"<x>": {"clip_l": vectors(1)}})


def test_an_embedding_of_a_pair_does_not_fit_one_encoder(clip):
    both = {"clip_l": vectors(1), "clip_g": vectors(1, 1280)}
    message = r"of a pair of text encoders \(clip_l 16, clip_g 1280\), .* has one, of width 16"
    with pytest.raises(CompatibilityError, match=message):
        with_words(clip, {"<x>": both})


def test_the_refiner_has_the_second_encoder_of_a_pair(new_clip, clip_tokenizer):
    refiner = new_clip(hidden_size=1280, num_attention_heads=2)
    refiner.set_assets(clip_tokenizer)
    view = with_words(refiner, {"<x>": {"clip_l": vectors(1, 768), "clip_g": vectors(1, 1280)}})
    assert torch.equal(view.state_dict()[TABLE][-1:], vectors(1, 1280))


def test_a_conditioner_needs_a_tokenizer(new_clip):
    with pytest.raises(InvalidConfigError, match="has no tokenizer"):
        with_words(new_clip(), {"x": {"clip_l": vectors(1)}})
