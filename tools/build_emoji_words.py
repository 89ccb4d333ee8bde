"""Build the words of the emoji database from the npm package ``emojilib``.

The file ``words.json`` has, for each name of ``glyphs.json``, the name that emojilib gives it and
its keywords. Keywords of very many emoji ("nature") say too little and are left out.

Usage: ``npm pack emojilib@4.0.3; python tools/build_emoji_words.py emojilib-4.0.3.tgz`` (from the
root of the project).
"""

import argparse
import hashlib
import json
import tarfile
from collections import Counter
from pathlib import Path

SHA256 = "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303"
KEYWORDS = "package/dist/emoji-en-US.json"
MOST_ENTRIES = 25
"""A keyword of more emoji is left out."""

ASSETS = Path(__file__).parents[1] / "core" / "latelier" / "data" / "emoji_scenes" / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tarball", type=Path)
    keywords = read_keywords(parser.parse_args().tarball)
    glyphs = json.loads((ASSETS / "glyphs.json").read_text(encoding="utf-8"))
    of_glyphs = {each["name"]: keywords[strip(character(each["code_point"]))] for each in glyphs}
    counts = Counter(word for words in of_glyphs.values() for word in words)
    taken = {name.casefold() for name in of_glyphs}
    lines = []
    for name, (own, *tags) in of_glyphs.items():
        synonyms = [] if own.casefold() in taken else [own]
        useful = [
            tag
            for tag in tags
            if counts[tag] <= MOST_ENTRIES and tag.isascii() and not any(map(str.isdigit, tag))
        ]
        entry = {"synonyms": synonyms, "tags": list(dict.fromkeys(useful))}
        words = {key: value for key, value in entry.items() if value}
        if words:
            lines.append(f"{json.dumps(name)}: {json.dumps(words, ensure_ascii=False)}")
    (ASSETS / "words.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_keywords(tarball: Path) -> dict[str, list[str]]:
    """Return the name and the keywords of each emoji, without its variation selectors."""
    if hashlib.sha256(tarball.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{tarball} is not emojilib 4.0.3")
    with tarfile.open(tarball) as package:
        stored = package.extractfile(KEYWORDS)
        assert stored is not None
        table = json.load(stored)
    return {
        strip(emoji): [word.replace("_", " ").replace("-", " ") for word in words]
        for emoji, words in table.items()
    }


def character(code_point: str) -> str:
    return "".join(chr(int(part, 16)) for part in code_point.split("-"))


def strip(emoji: str) -> str:
    return emoji.replace("\ufe0f", "")


if __name__ == "__main__":
    main()
