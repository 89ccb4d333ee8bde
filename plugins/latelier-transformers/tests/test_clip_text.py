import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from latelier import PictureGeometry
from latelier.checkpoints.importers.clip_layout import clip_from_compvis
from latelier.contracts.errors import InvalidConfigError, InvalidInputError, ModelFileError
from latelier_conditioners.text.inputs import Text
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from latelier_transformers.clip_text.conditioner import ClipTextConditioner
from latelier_transformers.clip_text.inputs import ClipTextConfig
from latelier_transformers.t5_text.inputs import T5TextConfig

GEOMETRY = PictureGeometry((64, 64), (16, 16))
TEXTS = ["a red cat", "the blue dog on the sea!", "a", "A  Meadow,  ümlaut 7"]


def stream_of(part):
    assert part.stream.mask is None
    return part.stream.tokens


def reference(conditioner):
    """Return transformers' own model with the conditioner's weights."""
    fields = conditioner.config.network()
    model = CLIPTextModel(CLIPTextConfig(**fields)).eval()
    state = {k.removeprefix("text_model."): v for k, v in conditioner.state_dict().items()}
    model.load_state_dict(state)
    return model


def tokens_of_transformers(folder, files, config, texts):
    for name, data in files.items():
        (folder / name).write_bytes(data)
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    length = config["max_position_embeddings"]
    return tokenizer(texts, padding="max_length", max_length=length, return_tensors="pt").input_ids


def test_tokens_equal_transformers(clip, clip_tokenizer, clip_config, tmp_path):
    texts = [*TEXTS[:3], "white café!!", "cat<|endoftext|>dog"]
    theirs = tokens_of_transformers(tmp_path, clip_tokenizer, clip_config, texts)
    ours = clip.prepare([Text(text=text) for text in texts], GEOMETRY)["tokens"]
    assert torch.equal(ours, theirs)
    assert ours.dtype == torch.int64


def test_a_tokenizer_json_is_read(new_clip, clip_tokenizer, tmp_path):
    vocab = json.loads(clip_tokenizer["vocab.json"])
    lines = clip_tokenizer["merges.txt"].decode().splitlines()[1:]
    theirs = CLIPTokenizer(vocab=vocab, merges=[tuple(line.split()) for line in lines])
    theirs.save_pretrained(tmp_path)
    conditioner = new_clip()
    conditioner.set_assets({"tokenizer.json": (tmp_path / "tokenizer.json").read_bytes()})
    assert conditioner.assets().keys() == clip_tokenizer.keys()
    assert json.loads(conditioner.assets()["vocab.json"]) == vocab
    for text in TEXTS[:3]:
        (row,) = conditioner.prepare([Text(text=text)], GEOMETRY)["tokens"].tolist()
        ids = theirs(text).input_ids
        assert row[: len(ids)] == ids


def test_words_of_textual_inversion_are_tokens(new_clip, clip_tokenizer, clip_config):
    size = clip_config["vocab_size"]
    added = {"added_tokens.json": json.dumps({"<b>": size + 1, "<Toy>": size}).encode()}
    conditioner = new_clip(vocab_size=size + 2)
    conditioner.set_assets({**clip_tokenizer, **added})
    row = conditioner.prepare([Text(text="red<toy> <b>cat")], GEOMETRY)["tokens"][0].tolist()
    plain = conditioner.prepare([Text(text="red cat")], GEOMETRY)["tokens"][0].tolist()
    assert row[:5] == [plain[0], plain[1], size, size + 1, plain[2]]
    other = new_clip(vocab_size=size + 2)
    other.set_assets(conditioner.assets())
    assert other.assets() == {**clip_tokenizer, **added}
    with pytest.raises(InvalidConfigError, match=f"ids go up to {size + 1}, but vocab_size={size}"):
        new_clip().set_assets({**clip_tokenizer, **added})


@pytest.mark.parametrize("number", [-1, 2**31, 10**12, 1.5, True, None, "7"])
@pytest.mark.parametrize("file", ["vocab.json", "added_tokens.json"])
def test_an_id_that_is_not_a_whole_number_is_refused(new_clip, clip_tokenizer, file, number):
    ids = json.loads(clip_tokenizer.get(file, "{}")) | {"!": number}
    with pytest.raises(ModelFileError, match="expected a whole number as the id of '!'"):
        new_clip().set_assets({**clip_tokenizer, file: json.dumps(ids).encode()})


def test_two_tokens_with_one_id_are_refused(new_clip, clip_tokenizer):
    ids = json.loads(clip_tokenizer["vocab.json"]) | {"!": 5}
    with pytest.raises(ModelFileError, match="two tokens have the same id"):
        new_clip().set_assets({**clip_tokenizer, "vocab.json": json.dumps(ids).encode()})


@pytest.mark.parametrize("config", [ClipTextConfig, T5TextConfig])
def test_every_integer_of_a_configuration_has_bounds(config):
    fields = config.model_json_schema()["properties"]
    integers = [name for name, each in fields.items() if each.get("type") == "integer"]
    assert integers
    assert [name for name in integers if "maximum" not in fields[name]] == []


@pytest.mark.parametrize("data", [b"damaged", b"[1]", b'{"<toy>": 7}', b'{"<toy>": 100000}'])
def test_invalid_added_tokens_are_refused(new_clip, clip_tokenizer, data):
    with pytest.raises(ModelFileError, match="not a CLIP tokenizer"):
        new_clip().set_assets({**clip_tokenizer, "added_tokens.json": data})


def test_padding_is_the_configured_token(new_clip, clip_tokenizer, clip_config):
    other = new_clip(pad_token_id=0)
    other.set_assets(clip_tokenizer)
    row = other.prepare([Text(text="!! cat")], GEOMETRY)["tokens"][0]
    end = (row == clip_config["eos_token_id"]).nonzero()
    assert len(end) == 1
    assert (row[end[0, 0] + 1 :] == 0).all()
    assert 0 in row[1 : end[0, 0]]  # '!' is a token like others


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
def test_the_last_layer_equals_transformers(new_clip, clip_tokenizer, act):
    conditioner = new_clip(hidden_act=act)
    conditioner.set_assets(clip_tokenizer)
    batch = conditioner.prepare([Text(text=text) for text in TEXTS[:3]], GEOMETRY)
    model = reference(conditioner)
    with torch.no_grad():
        theirs = model(input_ids=batch["tokens"]).last_hidden_state
        ours = stream_of(conditioner(batch, GEOMETRY))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_the_penultimate_layer_equals_transformers(new_clip, clip_tokenizer):
    conditioner = new_clip(layer="penultimate")
    conditioner.set_assets(clip_tokenizer)
    batch = conditioner.prepare([Text(text=text) for text in TEXTS[:3]], GEOMETRY)
    model = reference(conditioner)
    with torch.no_grad():
        outputs = model(input_ids=batch["tokens"], output_hidden_states=True)
        theirs = model.final_layer_norm(outputs.hidden_states[-2])
        ours = stream_of(conditioner(batch, GEOMETRY))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert (ours - outputs.last_hidden_state).abs().max() > 1e-2


def test_the_choice_of_a_layer_changes_no_weight(new_clip):
    last, penultimate = new_clip(), new_clip(layer="penultimate")
    assert list(last.state_dict()) == list(penultimate.state_dict())


def test_the_penultimate_layer_of_24_equals_the_last_of_23(new_clip, clip_tokenizer):
    more, fewer = new_clip(layer="penultimate"), new_clip(num_hidden_layers=2)
    state = {k: v for k, v in more.state_dict().items() if ".layers.2." not in k}
    fewer.load_state_dict(state)
    for each in (more, fewer):
        each.set_assets(clip_tokenizer)
    assert torch.equal(stream_of(more.encode(TEXTS[:1])), stream_of(fewer.encode(TEXTS[:1])))


@pytest.mark.parametrize("shown", [{}, {"layer": "penultimate"}])
def test_all_tensors_come_from_a_file(new_clip, shown):
    """Else loading would draw all weights before it maps the file's over them."""
    with torch.device("meta"):
        model = new_clip(**shown)
    named = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    assert named == set(model.state_dict())
    assert all(tensor.is_meta for tensor in model.state_dict().values())


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 123_060_480),
        (
            {
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 23,
                "num_attention_heads": 16,
                "hidden_act": "gelu",
                "pad_token_id": 0,
            },
            340_387_840,
        ),
    ],
    ids=["SD 1.x", "SD 2.1"],
)
def test_sizes_match_the_publications(fields, count):
    config = ClipTextConfig(**fields)
    with torch.device("meta"):
        ours = ClipTextConditioner(config)
        theirs = CLIPTextModel(CLIPTextConfig(**config.network()))
    assert sum(p.numel() for p in ours.parameters()) == count
    shapes = {f"text_model.{name}": t.shape for name, t in theirs.state_dict().items()}
    assert {name: t.shape for name, t in ours.state_dict().items()} == shapes


def test_weights_of_every_version_of_transformers_load(clip, new_clip):
    state = clip.state_dict()
    nested = {**state, "text_model.embeddings.position_ids": torch.arange(12)[None]}
    flat = {name.removeprefix("text_model."): tensor for name, tensor in nested.items()}
    for published in (state, nested, flat):
        new_clip().load_state_dict(clip_from_compvis(published))


def test_the_null_part_is_the_empty_text(clip):
    empty = clip.prepare([Text.model_construct(text="")], GEOMETRY)
    null = stream_of(clip.null(3, GEOMETRY))
    assert null.shape == (3, 12, 16)
    for row in null:
        torch.testing.assert_close(row, stream_of(clip(empty, GEOMETRY))[0])


def test_encoding_does_not_depend_on_the_batch(clip):
    together = stream_of(clip.encode(TEXTS[:3]))
    for row, text in enumerate(TEXTS[:3]):
        alone = stream_of(clip.encode([text]))[0]
        torch.testing.assert_close(alone, together[row], rtol=1e-5, atol=1e-5)
    assert (together[0] - together[1]).abs().max() > 1e-2


def test_an_empty_batch_has_no_rows(clip):
    assert clip.prepare([], GEOMETRY)["tokens"].shape == (0, 12)


@pytest.mark.parametrize("layer", ["last", "penultimate"])
@pytest.mark.parametrize("final_norm", [True, False])
def test_what_is_used_is_trainable(new_clip, clip_tokenizer, layer, final_norm):
    model = new_clip(layer=layer, final_norm=final_norm)
    model.set_assets(clip_tokenizer)
    stream_of(model.encode(["a cat"])).square().sum().backward()
    for name, weights in model.named_parameters():
        unused = layer == "penultimate" and ".layers.2." in name
        unused |= not final_norm and "final_layer_norm" in name
        assert weights.requires_grad != unused
        assert (weights.grad is None) == unused


@pytest.mark.parametrize("layer", ["last", "penultimate"])
def test_it_survives_pickling_after_a_run(new_clip, clip_tokenizer, layer):
    """Data workers are given conditioners this way."""
    conditioner = new_clip(layer=layer)
    conditioner.set_assets(clip_tokenizer)
    before = stream_of(conditioner.encode(["a cat"]))
    other = pickle.loads(pickle.dumps(conditioner))
    assert torch.equal(stream_of(other.encode(["a cat"])), before)


def test_concurrent_encoding_gives_the_same_result(clip):
    texts = TEXTS[:3] * 8
    alone = [clip.prepare([Text(text=text)], GEOMETRY)["tokens"] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(
            pool.map(lambda text: clip.prepare([Text(text=text)], GEOMETRY)["tokens"], texts)
        )
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


class TestErrors:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (" \n", "the text is empty; leave it out"),
            ("a" * 2001, "'text': String should have at most 2000 characters"),
            ({"txt": "a cat"}, "there is no field 'txt'. Did you mean 'text'"),
            ("cat " * 11, "a text has 11 tokens, but at most 10 fit: 'cat cat cat"),
        ],
    )
    def test_invalid_texts_are_refused(self, clip, value, message):
        with pytest.raises(InvalidInputError, match=message):
            clip.encode([value])

    def test_a_text_of_maximal_length_is_accepted(self, clip):
        assert clip.encode(["cat " * 10]).stream.tokens.shape == (1, 12, 16)

    def test_a_missing_tokenizer_is_an_error(self, new_clip):
        conditioner = new_clip()
        conditioner.set_assets({})
        assert conditioner.assets() == {}
        with pytest.raises(InvalidConfigError, match=r"no tokenizer: .*merges.txt with set_assets"):
            conditioner.encode(["a cat"])
        assert conditioner.null(1, GEOMETRY).stream.tokens.isfinite().all()

    @pytest.mark.parametrize("name", ["vocab.json", "merges.txt"])
    def test_an_incomplete_tokenizer_is_an_error(self, new_clip, clip_tokenizer, name):
        files = {other: data for other, data in clip_tokenizer.items() if other != name}
        with pytest.raises(ModelFileError, match=f"needs vocab.json and .*; no {name}"):
            new_clip().set_assets(files)

    @pytest.mark.parametrize(
        ("name", "data"),
        [
            ("vocab.json", b"damaged"),
            ("vocab.json", b"[]"),
            ("vocab.json", b"{}"),
            ("vocab.json", b"null"),
            ("merges.txt", b"\xff\xfe"),
            ("merges.txt", b"c a t\n"),
            ("merges.txt", b"nothing known\n"),
        ],
    )
    def test_a_damaged_tokenizer_is_an_error(self, new_clip, clip_tokenizer, name, data):
        with pytest.raises(ModelFileError, match=r"not a CLIP tokenizer's vocab\.json"):
            new_clip().set_assets({**clip_tokenizer, name: data})

    def test_a_tokenizer_of_another_model_is_an_error(self, new_clip, clip_tokenizer, clip_config):
        size = clip_config["vocab_size"]
        larger = new_clip(vocab_size=size + 1, bos_token_id=size, eos_token_id=size - 1)
        with pytest.raises(
            InvalidConfigError,
            match=rf"'<\|startoftext\|>' is {size - 2} in the tokenizer, not bos_token_id={size}",
        ):
            larger.set_assets(clip_tokenizer)
        assert larger.assets() == {}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"num_attention_heads": 5}, "num_attention_heads=5 does not divide hidden_size=16"),
            ({"pad_token_id": 100000}, "a token id is not below vocab_size"),
            ({"hidden_act": "relu"}, "'quick_gelu' or 'gelu'"),
        ],
    )
    def test_invalid_configurations_are_refused(self, clip_config, change, message):
        with pytest.raises(ValueError, match=message):
            ClipTextConfig(**{**clip_config, **change})
