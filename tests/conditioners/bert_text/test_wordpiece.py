"""WordPiece against the tokenizer of the published models."""

import pickle
import random
import unicodedata
from pathlib import Path

import pytest

from latelier.contracts.errors import ModelFileError
from latelier_conditioners.bert_text.wordpiece import WordPiece, split_words

PIECES = """
[PAD] [unused0] [UNK] [CLS] [SEP] [MASK] a b c d e i n o r s t u ##a ##b ##c ##d ##e ##i ##n ##o
##r ##s ##t ##u ! " # $ % & ' ( ) , - . / : ; ? @ [ ] _ ` ~ the cat cats dog un ##aff ##able red
apple ##pple street strasse cafe naive 1 2 ##1 ##2 ##k 猫 犬 の ##の γ σ ##σ ς ß i̇ « » … – ’ 。 🍎
résumé resume pad sep mask
"""
VOCABULARY = "\n".join(PIECES.split()).encode() + b"\n"
TRICKY = [
    "",
    "   ",
    "A red Apple",
    "the CATS, the dog!",
    "unaffable",
    "unaffables unaffablek",
    "Café naïve résumé RÉSUMÉ",
    "e\u0301cole cafe\u0301",
    "don't do-it a.b.c $1 2% @a [a] a_b `c` ~",
    "猫と犬の猫 red猫apple",
    "カタカナ ひらがな 한국어",
    "\U00020000 \U0002b820 \U0002f800",
    "Σίσυφος ΟΔΟΣ γς",
    "STRASSE Straße ẞ",
    "İstanbul I ı",
    "tab\tnew\nline\rreturn\u00a0nbsp\u3000wide\u2028line\u2029para",
    "zero\u200bwidth soft\u00adhyphen bom\ufeff null\x00 bell\x07 next\x85 \ufffd",
    "🍎🍎 a🍎b 👩\u200d🚀 🇫🇷",
    "«a» – “b” ’ … 。！？",
    "[SEP] a[MASK]b [sep] [PAD][CLS] [ SEP ] [UNK]",
    "a" * 100,
    "a" * 101,
    "ab" * 60 + " cat",
    "ｃａｔ ﬁ ² ½ Ⅷ",
    "\u0301 \u0301a",
    "e\U0001d165 \u06e5",
]


@pytest.fixture(scope="module")
def ours() -> WordPiece:
    return WordPiece(VOCABULARY)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory):
    transformers = pytest.importorskip("transformers")
    path: Path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_bytes(VOCABULARY)
    return transformers.BertTokenizer(str(path))


@pytest.mark.parametrize("text", TRICKY)
def test_difficult_texts_have_the_ids_of_the_published_tokenizer(ours, theirs, text: str) -> None:
    assert ours.encode(text) == theirs(text)["input_ids"]


def test_random_texts_have_the_ids_of_the_published_tokenizer(ours, theirs) -> None:
    for text in random_texts():
        assert ours.encode(text) == theirs(text)["input_ids"], text


def test_words_are_those_of_the_published_tokenizer() -> None:
    """Seen before the lookup, where "[UNK]" would hide what differs."""
    pytest.importorskip("tokenizers")
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    normalizer, splitter = BertNormalizer(lowercase=True), BertPreTokenizer()
    for text in [*TRICKY, *random_texts()]:
        expected = [w for w, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]
        assert split_words(text) == expected, text


def random_texts() -> list[str]:
    rng = random.Random(0)
    alphabet = [c for text in TRICKY for c in text] + [" "] * 40
    alphabet += [chr(c) for c in range(0x3000) if long_known(chr(c))]
    return ["".join(rng.choices(alphabet, k=rng.randrange(60))) for _ in range(300)]


def long_known(character: str) -> bool:
    """Tell whether Unicode of 2002 had it: their tables are older than Python's."""
    return (
        unicodedata.ucd_3_2_0.category(character) not in ("Cn", "Cs")
        and unicodedata.ucd_3_2_0.category(character) == unicodedata.category(character)
        and character != "\u166d"
    )


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Unaffable CATS!", ["[CLS]", "un", "##aff", "##able", "cats", "!", "[SEP]"]),
        ("", ["[CLS]", "[SEP]"]),
        ("catz apple", ["[CLS]", "[UNK]", "apple", "[SEP]"]),
        ("Café", ["[CLS]", "cafe", "[SEP]"]),
    ],
)
def test_ids_are_the_lines_of_the_vocabulary(ours, text: str, pieces: list[str]) -> None:
    lines = VOCABULARY.decode().split("\n")
    assert [lines[number] for number in ours.encode(text)] == pieces
    assert ours.pad == 0
    assert len(ours) == len(lines) - 1


def test_punctuation_and_han_are_single_tokens() -> None:
    assert split_words("Don't (stop)!") == ["don", "'", "t", "(", "stop", ")", "!"]
    assert split_words("a猫犬b") == ["a", "猫", "犬", "b"]


def test_case_accents_and_invisible_characters_are_removed() -> None:
    assert split_words("ΟΔΟΣ É İ") == ["οδοσ", "e", "i"]
    assert split_words("soft\u00adhyphen zero\u200bwidth nbsp\u00a0space") == [
        "softhyphen",
        "zerowidth",
        "nbsp",
        "space",
    ]


def test_windows_line_endings_are_accepted(ours) -> None:
    windows = WordPiece(VOCABULARY.replace(b"\n", b"\r\n"))
    assert len(windows) == len(ours)
    assert windows.encode("a red cat") == ours.encode("a red cat")


def test_it_survives_pickling(ours) -> None:
    assert pickle.loads(pickle.dumps(ours)).encode("a red [SEP]") == ours.encode("a red [SEP]")


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (b"\xff\xfe", "2 bytes are not a WordPiece vocabulary: not UTF-8"),
        (b"[PAD]\n[UNK]\n[CLS]\na", r"4 lines are not a WordPiece vocabulary: \[SEP\] is missing"),
        (b"", r"\[PAD\] is missing"),
    ],
)
def test_a_damaged_vocabulary_is_an_error(vocabulary: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        WordPiece(vocabulary)
