import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from latelier.contracts.components import PictureGeometry
from latelier.contracts.condition import ConditionPart, where
from latelier.contracts.errors import InvalidConfigError, InvalidInputError, ModelFileError
from latelier_conditioners.text.conditioner import TextConditioner
from latelier_conditioners.text.inputs import Text, TextConfig
from latelier_conditioners.text.tokenizer import Tokenizer

GEOMETRY = PictureGeometry((64, 64), (16, 16))
CAPTIONS = [
    f"a {color} {thing} on a {ground} background"
    for color in ("red", "green", "blue")
    for thing in ("apple", "cat", "dog", "pear")
    for ground in ("white", "black", "striped")
]


def new_conditioner(**options: Any) -> TextConditioner:
    config: dict[str, Any] = {"width": 16, "layers": 2, "heads": 2, "max_length": 12}
    return TextConditioner(TextConfig.model_validate({**config, **options})).eval()


@pytest.fixture(scope="module")
def text() -> TextConditioner:
    conditioner = new_conditioner()
    conditioner.fit(CAPTIONS)
    return conditioner


def stream_of(part: ConditionPart) -> tuple[Tensor, Tensor]:
    assert part.stream is not None
    assert part.stream.mask is not None
    return part.stream.tokens, part.stream.mask


def test_the_part_is_a_masked_stream_of_its_width(text: TextConditioner) -> None:
    tokens, mask = stream_of(text.encode(["a cat", "a red apple on a white background"]))
    assert text.config.outputs().stream == 16
    assert tokens.shape == (2, 12, 16)
    assert mask.sum(1).tolist() == [3, 8]
    assert mask[:, 0].all()


def test_prepare_needs_no_weights_and_returns_cpu_tensors(text: TextConditioner) -> None:
    batch = text.prepare([Text(text="a cat")], GEOMETRY)
    assert batch["tokens"].dtype == torch.int64
    assert batch["mask"].dtype == torch.bool
    assert batch["tokens"].shape == batch["mask"].shape == (1, 12)
    assert batch["tokens"][0, 0] == 1
    assert (batch["tokens"][~batch["mask"]] == 0).all()
    assert len(text.prepare([], GEOMETRY)["tokens"]) == 0


def test_case_and_width_of_letters_do_not_matter(text: TextConditioner) -> None:
    batch = text.prepare([Text(text="A Red CAT"), Text(text="a red ｃａｔ")], GEOMETRY)
    assert torch.equal(*batch["tokens"])
    assert (
        batch["tokens"][0].tolist()
        == text.prepare([Text(text="a red cat")], GEOMETRY)["tokens"][0].tolist()
    )


def test_unknown_letters_fall_back_to_bytes(text: TextConditioner) -> None:
    batch = text.prepare([Text(text="猫"), Text(text="犬")], GEOMETRY)
    assert 2 not in batch["tokens"]
    assert not torch.equal(*batch["tokens"])


def test_masked_tokens_change_nothing(text: TextConditioner) -> None:
    batch = text.prepare([Text(text="a cat"), Text(text="a red apple")], GEOMETRY)
    tokens, mask = stream_of(text(batch, GEOMETRY))
    garbled = torch.where(batch["mask"], batch["tokens"], 77)
    other, _ = stream_of(text({**batch, "tokens": garbled}, GEOMETRY))
    assert torch.equal(other[mask], tokens[mask])


def test_longer_padding_changes_nothing(text: TextConditioner) -> None:
    longer = new_conditioner(max_length=30)
    state = text.state_dict()
    position = longer.state_dict()["position_embedding.weight"]
    position[:12] = state["position_embedding.weight"]
    longer.load_state_dict({**state, "position_embedding.weight": position})
    longer.set_assets(text.assets())
    short, mask = stream_of(text.encode(["a red cat"]))
    long, _ = stream_of(longer.encode(["a red cat"]))
    torch.testing.assert_close(long[:, :12][mask], short[mask])


def test_encoding_does_not_depend_on_the_batch(text: TextConditioner) -> None:
    texts = ["a cat", "a red apple on a white background", "dog", "blue pear"]
    together, _ = stream_of(text.encode(texts))
    for row, value in enumerate(texts):
        torch.testing.assert_close(stream_of(text.encode([value]))[0][0], together[row])


def test_words_and_their_order_matter(text: TextConditioner) -> None:
    tokens, _ = stream_of(text.encode(["red cat blue dog", "blue cat red dog"]))
    assert (tokens[0, 1:] - tokens[1, 1:]).abs().amax(1)[:4].min() > 1e-3


def test_the_null_part_is_the_empty_text(text: TextConditioner) -> None:
    empty = Text.model_construct(text="")
    tokens, mask = stream_of(text(text.prepare([empty] * 3, GEOMETRY), GEOMETRY))
    null_tokens, null_mask = stream_of(text.null(3, GEOMETRY))
    assert torch.equal(mask, null_mask)
    torch.testing.assert_close(null_tokens, tokens)
    assert null_mask.sum(1).tolist() == [1, 1, 1]


def test_dropping_a_text_gives_the_null_part(text: TextConditioner) -> None:
    given, null = text.encode(["a cat", "a dog"]), text.null(2, GEOMETRY)
    mixed, mask = stream_of(where(torch.tensor([True, False]), given, null))
    assert torch.equal(mixed[0], stream_of(given)[0][0])
    assert torch.equal(mixed[1], stream_of(null)[0][1])
    assert mask.sum(1).tolist() == [3, 1]


def test_it_is_differentiable_and_padding_gets_no_gradient(text: TextConditioner) -> None:
    model = copy.deepcopy(text)
    tokens, mask = stream_of(model.encode(["a cat"]))
    tokens[mask].square().sum().backward()
    grad = model.position_embedding.weight.grad
    assert grad is not None
    assert (grad.abs().amax(1) > 0).tolist() == [True] * 3 + [False] * 9
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_it_builds_on_the_meta_device() -> None:
    with torch.device("meta"):
        model = new_conditioner()
    assert all(parameter.is_meta for parameter in model.parameters())


def test_concurrent_tokenizing_gives_the_same_tokens(text: TextConditioner) -> None:
    texts = [Text(text=caption) for caption in CAPTIONS] * 8
    alone = [text.prepare([value], GEOMETRY)["tokens"] for value in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda value: text.prepare([value], GEOMETRY)["tokens"], texts))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


class TestVocabulary:
    def test_training_the_vocabulary_is_deterministic(self, text: TextConditioner) -> None:
        again = new_conditioner()
        again.fit([Text(text=caption) for caption in CAPTIONS])
        assert again.assets() == text.assets()

    def test_words_of_the_captions_are_single_tokens(self, text: TextConditioner) -> None:
        for caption in CAPTIONS:
            batch = text.prepare([Text(text=caption)], GEOMETRY)
            assert batch["mask"].sum() == 1 + len(caption.split())

    def test_it_survives_assets(self, text: TextConditioner) -> None:
        assets = text.assets()
        assert list(assets) == ["vocabulary.model", "words.txt"]
        other = new_conditioner()
        other.load_state_dict(text.state_dict())
        other.set_assets(assets)
        torch.testing.assert_close(
            stream_of(other.encode(["a cat"]))[0], stream_of(text.encode(["a cat"]))[0]
        )
        assert other.assets() == assets

    def test_it_survives_pickling(self, text: TextConditioner) -> None:
        """Data workers are given conditioners this way."""
        other = pickle.loads(pickle.dumps(text))
        assert torch.equal(
            other.prepare([Text(text="a cat")], GEOMETRY)["tokens"],
            text.prepare([Text(text="a cat")], GEOMETRY)["tokens"],
        )

    def test_without_a_vocabulary_there_are_no_assets(self) -> None:
        conditioner = new_conditioner()
        conditioner.set_assets({})
        assert conditioner.assets() == {}

    def test_its_size_is_bounded(self) -> None:
        conditioner = new_conditioner(vocab_size=320)
        conditioner.fit(
            f"{a}{b}{c} {c}{a}{b}" for a in "abcdefgh" for b in "ijklmnop" for c in "qrstuvwx"
        )
        assert (conditioner.prepare([Text(text="aiq qai")], GEOMETRY)["tokens"] < 320).all()
        vocabulary = Tokenizer(conditioner.assets()["vocabulary.model"])
        assert 300 < len(vocabulary) <= 320


class TestWords:
    def test_the_words_of_the_captions_are_listed(self, text: TextConditioner) -> None:
        assert {"a", "cat", "striped", "background"} <= set(text.vocabulary())
        assert list(text.vocabulary()) == sorted(set(" ".join(CAPTIONS).split()))

    def test_words_of_the_captions_give_no_warning(self, text: TextConditioner) -> None:
        assert text.check(Text(text="A blue PEAR, on a cat!")) == ()

    def test_a_warning_lists_unknown_words_with_the_nearest(self, text: TextConditioner) -> None:
        (message,) = text.check(Text(text="two dogs on a zeppelin, two dogs"))
        assert message == (
            "the model was trained without these words of the text: "
            "'two', 'dogs' (nearest: 'dog'), 'zeppelin'"
        )

    def test_apostrophes_of_both_kinds_are_the_same(self) -> None:
        conditioner = new_conditioner()
        conditioner.fit(["a woman's hat"])
        assert conditioner.check(Text(text="a woman’s hat")) == ()

    def test_scripts_without_spaces_give_no_warning(self, text: TextConditioner) -> None:
        assert text.check(Text(text="一只猫")) == ()
        assert text.check(Text(text="3 猫")) != ()

    def test_a_fine_tuning_adds_words_and_keeps_the_tokens(self, text: TextConditioner) -> None:
        other = new_conditioner()
        other.set_assets(text.assets())
        other.extend(["two dogs"])
        assert other.check(Text(text="two dogs and a cat")) == text.check(Text(text="and a cat"))
        assert set(other.vocabulary()) == {*text.vocabulary(), "two", "dogs"}
        assert other.assets()["vocabulary.model"] == text.assets()["vocabulary.model"]

    def test_they_survive_assets(self, text: TextConditioner) -> None:
        other = new_conditioner()
        other.set_assets(text.assets())
        assert other.vocabulary() == text.vocabulary()

    def test_without_words_there_is_no_warning(self, text: TextConditioner) -> None:
        other = new_conditioner()
        other.set_assets({"vocabulary.model": text.assets()["vocabulary.model"]})
        other.extend(["two cats"])
        assert other.vocabulary() == ()
        assert other.check(Text(text="two dogs")) == ()

    def test_a_damaged_word_list_is_an_error(self, text: TextConditioner) -> None:
        with pytest.raises(ModelFileError, match="expected words in UTF-8"):
            new_conditioner().set_assets({**text.assets(), "words.txt": b"\xff\xfe"})


class TestErrors:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("", "the text is empty"),
            (" \n", "the text is empty"),
            ("a" * 2001, "'text': String should have at most 2000 characters"),
            (7, "'text': Input should be a valid string"),
            ({"txt": "a cat"}, "there is no field 'txt'. Did you mean 'text'"),
            ("cat " * 12, "a text has 12 tokens, but at most 11 fit: 'cat cat cat"),
        ],
    )
    def test_invalid_texts_are_refused(
        self, text: TextConditioner, value: Any, message: str
    ) -> None:
        with pytest.raises(InvalidInputError, match=message):
            text.encode([value])

    def test_a_missing_vocabulary_is_an_error(self) -> None:
        with pytest.raises(InvalidConfigError, match=r"has no vocabulary: .* fit\(\)"):
            new_conditioner().encode(["a cat"])

    def test_training_without_captions_is_an_error(self) -> None:
        with pytest.raises(InvalidConfigError, match="there are no texts"):
            new_conditioner().fit([])

    def test_too_many_letters_are_an_error(self) -> None:
        letters = "".join(map(chr, range(0x4E00, 0x4E00 + 400)))
        with pytest.raises(InvalidConfigError, match="no vocabulary of 320 tokens can be learnt"):
            new_conditioner(vocab_size=320).fit([letters])

    def test_a_damaged_vocabulary_is_an_error(self) -> None:
        with pytest.raises(ModelFileError, match="not a sentencepiece vocabulary"):
            new_conditioner().set_assets({"vocabulary.model": b"damaged"})

    def test_a_vocabulary_larger_than_the_table_is_an_error(self) -> None:
        large = new_conditioner(vocab_size=400)
        large.fit("".join(map(chr, range(0x4E00, 0x4E00 + 120))) for _ in range(3))
        with pytest.raises(InvalidConfigError, match=r"has \d+ tokens, more than vocab_size=320"):
            new_conditioner(vocab_size=320).set_assets(large.assets())

    def test_heads_must_divide_the_width(self) -> None:
        with pytest.raises(ValueError, match="heads=3 does not divide width=16"):
            TextConfig(width=16, heads=3)
