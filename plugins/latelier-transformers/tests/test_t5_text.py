import copy
import pickle

import pytest
import sentencepiece
import torch
from latelier import PictureGeometry
from latelier.contracts.condition import where
from latelier.contracts.errors import InvalidConfigError, InvalidInputError, ModelFileError
from latelier_conditioners.text.inputs import Text
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from latelier_transformers.published_weights import t5_text_weights
from latelier_transformers.t5_text.conditioner import T5TextConditioner
from latelier_transformers.t5_text.inputs import T5TextConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))
TEXTS = ["a red cat", "a dog", "a white meadow"]


def reference(conditioner):
    """Return transformers' own model with the conditioner's weights."""
    fields = conditioner.config.network()
    model = T5EncoderModel(T5Config(**fields)).eval()
    state = dict(conditioner.state_dict())
    model.load_state_dict({**state, "shared.weight": state["encoder.embed_tokens.weight"]})
    return model


def test_a_row_has_pieces_end_token_and_padding(t5):
    tokens = t5.prepare([Text(text=text) for text in TEXTS], GEOMETRY)["tokens"]
    assert tokens.shape == (3, 12)
    assert tokens.dtype == torch.int64
    assert [row.count(1) for row in tokens.tolist()] == [1, 1, 1]
    for row in tokens.tolist():
        end = row.index(1)
        assert all(token > 2 for token in row[:end])
        assert row[end + 1 :] == [0] * (11 - end)
    assert t5.prepare([], GEOMETRY)["tokens"].shape == (0, 12)


@pytest.mark.parametrize("act", ["relu", "gated-gelu"])
def test_output_equals_transformers(new_t5, spiece, act):
    conditioner = new_t5(feed_forward_proj=act)
    conditioner.set_assets({"spiece.model": spiece})
    batch = conditioner.prepare([Text(text=text) for text in TEXTS], GEOMETRY)
    model = reference(conditioner)
    mask = batch["tokens"] != 0
    with torch.no_grad():
        theirs = model(input_ids=batch["tokens"], attention_mask=mask.long()).last_hidden_state
        part = conditioner(batch, GEOMETRY)
    assert torch.equal(part.stream.mask, mask)
    torch.testing.assert_close(part.stream.tokens[mask], theirs[mask], rtol=1e-5, atol=1e-5)


def test_padding_is_kept_where_a_model_attends_to_it(new_t5, spiece):
    conditioner = new_t5(padding="kept")
    conditioner.set_assets({"spiece.model": spiece})
    batch = conditioner.prepare([Text(text=text) for text in TEXTS], GEOMETRY)
    with torch.no_grad():
        theirs = reference(conditioner)(input_ids=batch["tokens"]).last_hidden_state
        part, null = conditioner(batch, GEOMETRY), conditioner.null(2, GEOMETRY)
    assert part.stream.mask is None
    torch.testing.assert_close(part.stream.tokens, theirs, rtol=1e-5, atol=1e-5)
    assert null.stream.mask is None
    assert null.stream.tokens.shape == (2, 12, 16)


def test_longer_padding_changes_nothing(t5, new_t5, spiece):
    longer = new_t5(max_length=20)
    longer.load_state_dict(t5.state_dict())
    longer.set_assets({"spiece.model": spiece})
    short, long = t5.encode(TEXTS[:1]).stream, longer.encode(TEXTS[:1]).stream
    torch.testing.assert_close(long.tokens[:, :12][short.mask], short.tokens[short.mask])
    assert long.mask.sum() == short.mask.sum()


def test_encoding_does_not_depend_on_the_batch(t5):
    together = t5.encode(TEXTS).stream
    for row, text in enumerate(TEXTS):
        alone = t5.encode([text]).stream
        close = (alone.tokens[0] - together.tokens[row])[alone.mask[0]].abs().max()
        assert close < 1e-5


def test_the_null_part_is_the_empty_text(t5):
    empty = t5(t5.prepare([Text.model_construct(text="")], GEOMETRY), GEOMETRY)
    null = t5.null(3, GEOMETRY)
    assert null.stream.mask.sum(1).tolist() == [1, 1, 1]
    assert torch.equal(null.stream.mask[:1], empty.stream.mask)
    for row in null.stream.tokens:
        torch.testing.assert_close(row, empty.stream.tokens[0])
    mixed = where(torch.tensor([True, False]), t5.encode(TEXTS[:2]), t5.null(2, GEOMETRY))
    assert mixed.stream.mask.sum(1)[1] == 1


def test_a_warning_lists_words_that_the_tokenizer_cannot_spell(t5, new_t5):
    assert [t5.check(Text(text=text)) for text in TEXTS] == [(), (), ()]
    (message,) = t5.check(Text(text="a red 猫 on a 犬, a 猫"))
    assert message == "the vocabulary cannot spell these words of the text: '猫', '犬,'"
    assert new_t5().check(Text(text="猫")) == ()


def test_no_weight_has_two_names(new_t5):
    """A file would hold it twice, and loading would part the two."""
    with torch.device("meta"):
        model = new_t5()
    named = [name for name, _ in (*model.named_parameters(), *model.named_buffers())]
    assert named == list(model.state_dict())
    assert all(tensor.is_meta for tensor in model.state_dict().values())


def test_the_size_matches_the_publication():
    """T5 v1.1 XXL, the text encoder of several published diffusion models."""
    config = T5TextConfig(d_model=4096, d_ff=10240, num_layers=24, num_heads=64)
    with torch.device("meta"):
        ours = T5TextConditioner(config)
        fields = config.network()
        theirs = T5EncoderModel(T5Config(**fields))
    count = sum(p.numel() for p in ours.parameters())
    assert count == sum(p.numel() for p in theirs.parameters()) == 4_762_310_656


def test_published_weights_load(t5, new_t5):
    state = dict(t5.state_dict())
    table = state.pop("encoder.embed_tokens.weight")
    decoder = {"decoder.final_layer_norm.weight": table, "lm_head.weight": table}
    for published in (
        {**state, "shared.weight": table},
        {**state, "shared.weight": table, "encoder.embed_tokens.weight": table, **decoder},
    ):
        other = new_t5()
        other.load_state_dict(t5_text_weights(published))
        assert torch.equal(other.encoder.embed_tokens.weight, table)
    theirs = t5_text_weights(reference(t5).state_dict())
    assert theirs.keys() == t5.state_dict().keys()


def test_it_is_differentiable(t5):
    model = copy.deepcopy(t5)
    stream = model.encode(["a cat"]).stream
    stream.tokens[stream.mask].square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_training_mode_draws_nothing(t5):
    model = copy.deepcopy(t5).train()
    assert torch.equal(model.encode(TEXTS).stream.tokens, model.encode(TEXTS).stream.tokens)


def test_it_survives_pickling(t5):
    other = pickle.loads(pickle.dumps(t5))
    assert torch.equal(other.encode(TEXTS).stream.tokens, t5.encode(TEXTS).stream.tokens)


@pytest.fixture(scope="module")
def pieces(spiece):
    """The same vocabulary as transformers has it."""
    model = sentencepiece.SentencePieceProcessor(model_proto=spiece)
    scored = [(model.id_to_piece(k), model.get_score(k)) for k in range(len(model))]
    return T5Tokenizer(vocab=scored, extra_ids=0)


def test_a_tokenizer_json_is_read(t5, new_t5, pieces, tmp_path):
    pieces.save_pretrained(tmp_path)
    assert not (tmp_path / "spiece.model").exists()
    data = (tmp_path / "tokenizer.json").read_bytes()
    conditioner = new_t5()
    conditioner.set_assets({"tokenizer.json": data})
    assert conditioner.assets() == {"tokenizer.json": data}
    geometry = PictureGeometry((64, 64), (16, 16))
    for text in (*TEXTS, "A   cat,\tblue!", "a dog in the sea </s> on"):
        (row,) = conditioner.prepare([Text(text=text)], geometry)["tokens"].tolist()
        ids = pieces(text).input_ids
        assert row == [*ids, *[0] * (12 - len(ids))]
    plain = conditioner.prepare([Text(text=text) for text in TEXTS], geometry)["tokens"]
    assert torch.equal(plain, t5.prepare([Text(text=text) for text in TEXTS], geometry)["tokens"])
    other = pickle.loads(pickle.dumps(conditioner))
    assert torch.equal(other.encode(TEXTS).stream.tokens, conditioner.encode(TEXTS).stream.tokens)


def test_stored_truncation_and_padding_are_ignored(new_t5, pieces):
    tokenizer = copy.deepcopy(pieces.backend_tokenizer)
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=30)
    conditioner = new_t5()
    conditioner.set_assets({"tokenizer.json": tokenizer.to_str().encode()})
    (row,) = conditioner.prepare([Text(text=TEXTS[0])], GEOMETRY)["tokens"].tolist()
    assert row[: row.index(1)] == pieces(TEXTS[0]).input_ids[:-1]


class TestErrors:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("", "the text is empty"),
            ("cat " * 12, "a text has 12 tokens, but at most 11 fit: 'cat cat cat"),
        ],
    )
    def test_invalid_texts_are_refused(self, t5, value, message):
        with pytest.raises(InvalidInputError, match=message):
            t5.encode([value])

    def test_a_missing_tokenizer_is_an_error(self, new_t5):
        conditioner = new_t5()
        conditioner.set_assets({})
        assert conditioner.assets() == {}
        with pytest.raises(InvalidConfigError, match=r"no tokenizer: .*spiece.model, or tok"):
            conditioner.encode(["a cat"])

    def test_a_damaged_tokenizer_is_an_error(self, new_t5):
        with pytest.raises(ModelFileError, match="not a sentencepiece vocabulary"):
            new_t5().set_assets({"spiece.model": b"damaged"})

    def test_a_tokenizer_of_another_model_is_an_error(self, new_t5, new_spiece):
        with pytest.raises(ModelFileError, match=r"padding and end are \(3, 2\), not \(0, 1\)"):
            new_t5().set_assets(
                {"spiece.model": new_spiece(pad_id=3, eos_id=2, unk_id=0, bos_id=1)}
            )

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"{", "not a tokenizer.json"),
            (b"\xff", "not a tokenizer.json"),
            (
                b'{"model": {"type": "WordLevel", "vocab": {"<pad>": 1}, "unk_token": "<unk>"}}',
                r"padding and end are \(1, None\)",
            ),
        ],
    )
    def test_a_tokenizer_json_of_another_model_is_an_error(self, new_t5, data, message):
        with pytest.raises(ModelFileError, match=message):
            new_t5().set_assets({"tokenizer.json": data})

    def test_a_tokenizer_larger_than_the_table_is_an_error(self, new_t5, spiece):
        with pytest.raises(InvalidConfigError, match=r"has \d+ tokens, more than vocab_size=8"):
            new_t5(vocab_size=8).set_assets({"spiece.model": spiece})
