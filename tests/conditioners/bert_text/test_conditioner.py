import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import Condition, ConditionPart, concat, where
from latelier.contracts.errors import InvalidConfigError, InvalidInputError, ModelFileError
from latelier_conditioners.bert_text.conditioner import BertTextConditioner
from latelier_conditioners.bert_text.inputs import BertTextConfig
from latelier_conditioners.text.inputs import Text

GEOMETRY = PictureGeometry((64, 64), (16, 16))
VOCABULARY = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nred\ncat\ndog\nun\n##cat\n"


def new_conditioner(**options: Any) -> BertTextConditioner:
    config: dict[str, Any] = {"n_embed": 16, "n_layer": 1, "vocab_size": 10, "max_seq_len": 7}
    return BertTextConditioner(BertTextConfig.model_validate({**config, **options})).eval()


@pytest.fixture(scope="module")
def text() -> BertTextConditioner:
    conditioner = new_conditioner()
    conditioner.set_assets({"vocab.txt": VOCABULARY})
    return conditioner


def tokens_of(part: ConditionPart) -> Tensor:
    assert part.stream is not None
    assert part.stream.mask is None
    return part.stream.tokens


def test_the_defaults_match_the_published_model() -> None:
    config = BertTextConfig(n_embed=1280, n_layer=32)
    assert (config.vocab_size, config.max_seq_len) == (30522, 77)
    assert config.outputs().stream == 1280


def test_keys_match_the_published_model() -> None:
    with torch.device("meta"):
        keys = list(new_conditioner(n_layer=32).state_dict())
    assert all(key.startswith("transformer.") for key in keys)
    assert "transformer.attn_layers.layers.63.1.net.2.bias" in keys
    assert not any("to_logits" in key for key in keys)


def test_texts_are_padded_to_one_length(text: BertTextConditioner) -> None:
    batch = text.prepare([Text(text="A red CAT"), Text(text="uncat")], GEOMETRY)
    assert batch["tokens"].tolist() == [[2, 4, 5, 6, 3, 0, 0], [2, 8, 9, 3, 0, 0, 0]]
    assert tokens_of(text(batch, GEOMETRY)).shape == (2, 7, 16)
    assert text.prepare([], GEOMETRY)["tokens"].shape == (0, 7)


def test_padding_is_not_masked(text: BertTextConditioner) -> None:
    other = copy.deepcopy(text)
    with torch.no_grad():
        other.transformer.token_emb.weight[0].neg_()
    difference = tokens_of(other.encode(["a cat"])) - tokens_of(text.encode(["a cat"]))
    assert (difference.abs().amax(2) > 1e-5).all()


def test_the_null_part_is_the_empty_text(text: BertTextConditioner) -> None:
    empty = text.prepare([Text.model_construct(text="")], GEOMETRY)
    assert empty["tokens"].tolist() == [[2, 3, 0, 0, 0, 0, 0]]
    null = tokens_of(text.null(3, GEOMETRY))
    torch.testing.assert_close(null, tokens_of(text(empty, GEOMETRY)).expand(3, -1, -1))


def test_guidance_stacks_without_masks(text: BertTextConditioner) -> None:
    given, null = text.encode(["a cat", "a dog"]), text.null(2, GEOMETRY)
    both = concat([Condition.of({"text": part}) for part in (given, null)]).streams["text"]
    assert both.mask is None
    assert both.tokens.shape == (4, 7, 16)
    mixed = tokens_of(where(torch.tensor([True, False]), given, null))
    assert torch.equal(mixed, torch.stack([tokens_of(given)[0], tokens_of(null)[1]]))


def test_it_is_differentiable(text: BertTextConditioner) -> None:
    model = copy.deepcopy(text)
    tokens_of(model.encode(["a cat"])).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_encoding_does_not_depend_on_the_batch(text: BertTextConditioner) -> None:
    texts = ["a cat", "a red dog", "dog"]
    together = tokens_of(text.encode(texts))
    for row, value in enumerate(texts):
        torch.testing.assert_close(tokens_of(text.encode([value]))[0], together[row])


def test_concurrent_encoding_gives_the_same_result(text: BertTextConditioner) -> None:
    texts = ["a cat", "a red dog", "uncat", "dog"] * 8
    alone = [tokens_of(text.encode([value])) for value in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda value: tokens_of(text.encode([value])), texts))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_the_vocabulary_is_an_asset(text: BertTextConditioner) -> None:
    assert text.assets() == {"vocab.txt": VOCABULARY}
    other = new_conditioner()
    assert other.assets() == {}
    other.set_assets(text.assets())
    other.load_state_dict(text.state_dict())
    assert torch.equal(tokens_of(other.encode(["a cat"])), tokens_of(text.encode(["a cat"])))


def test_it_survives_pickling(text: BertTextConditioner) -> None:
    """Data workers are given conditioners this way."""
    other = pickle.loads(pickle.dumps(text))
    value = [Text(text="a cat")]
    assert torch.equal(
        other.prepare(value, GEOMETRY)["tokens"], text.prepare(value, GEOMETRY)["tokens"]
    )


class TestErrors:
    def test_too_long_texts_are_refused(self, text: BertTextConditioner) -> None:
        assert text.encode(["cat " * 5]).stream is not None
        with pytest.raises(InvalidInputError, match="has 6 tokens, but at most 5 fit: 'cat cat"):
            text.encode(["cat " * 6])

    def test_without_a_vocabulary_errors_say_how_to_add_one(self) -> None:
        conditioner = new_conditioner()
        conditioner.set_assets({})
        message = r"no vocabulary, .* vocab\.txt of bert-base-uncased.*--asset text.*set_assets"
        for what in (
            lambda: conditioner.encode(["a cat"]),
            lambda: conditioner.null(1, GEOMETRY),
            lambda: conditioner.fit(["a cat"]),
        ):
            with pytest.raises(InvalidConfigError, match=message):
                what()

    def test_fitting_keeps_the_vocabulary(self, text: BertTextConditioner) -> None:
        text.fit(["a blue fish"])
        assert text.assets() == {"vocab.txt": VOCABULARY}

    def test_a_damaged_vocabulary_is_an_error(self) -> None:
        with pytest.raises(ModelFileError, match="not a WordPiece vocabulary"):
            new_conditioner().set_assets({"vocab.txt": b"\xff"})

    def test_a_vocabulary_of_another_size_is_an_error(self) -> None:
        with pytest.raises(InvalidConfigError, match=r"has 10 tokens, not vocab_size=30522; the p"):
            new_conditioner(vocab_size=30522).set_assets({"vocab.txt": VOCABULARY})

    def test_empty_texts_are_refused(self, text: BertTextConditioner) -> None:
        with pytest.raises(InvalidInputError, match="the text is empty; leave it out"):
            text.encode([" "])


def test_a_warning_lists_words_that_the_vocabulary_cannot_spell(text: BertTextConditioner) -> None:
    assert text.check(Text(text="a red uncat")) == ()
    (message,) = text.check(Text(text="a zebra, a cat and a zebra"))
    assert message == "the vocabulary cannot spell these words of the text: 'zebra', ',', 'and'"
    assert new_conditioner().check(Text(text="zebra")) == ()
