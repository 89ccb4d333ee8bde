"""Build the glyph atlas of the emoji scenes from its two published sources.

Sources, both read from local copies so that a build can be repeated offline:

* the artwork: the npm package ``@iconify-json/noto`` 1.2.9 (``npm pack @iconify-json/noto@1.2.9``);
* names, groups and subgroups: Unicode's ``emoji-test.txt`` (Debian package ``unicode-data``).

Usage: ``python tools/build_glyph_atlas.py TARBALL EMOJI_TEST OUTPUT_FOLDER`` (needs ``resvg_py``).
"""

import argparse
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import resvg_py
from PIL import Image

ARTWORK_SHA256 = "3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad"
TILE = 128
COLUMNS = 32

LINE = re.compile(r"([0-9A-F ]+?)\s*; fully-qualified\s*# \S+ E[\d.]+ (.*)")

EXCLUDED_GROUPS = {"Component", "Flags"}
EXCLUDED_SUBGROUPS = {
    "alphanum",
    "arrow",
    "av-symbol",
    "currency",
    "gender",
    "keycap",
    "math",
    "place-religious",
    "punctuation",
    "religion",
    "transport-sign",
    "zodiac",
}
EXCLUDED_NAMES = re.compile(
    r"o’clock|-thirty|middle finger|dagger|crossed swords|bomb|pistol|bow and arrow|military"
    r"|cigarette|no smoking|under eighteen|coffin|headstone|funeral|prayer beads|nazar|hamsa|diya"
    r"|love hotel|medical symbol|trident|copyright|registered|trade mark|Japanese symbol"
    r"|skullcap|turban|headscarf|baby angel|folded hands|moai|carp streamer"
)

# Unicode's short names that do not read well in a caption.
RENAMED = {
    "shallow pan of food": "paella",
    "pot of food": "stew pot",
    "cut of meat": "steak",
    "ear of corn": "corn cob",
    "bowl with spoon": "bowl of soup",
    "steaming bowl": "bowl of noodles",
    "cooking": "fried egg in a pan",
    "hot beverage": "cup of coffee",
    "teacup without handle": "cup of green tea",
    "cup with straw": "paper cup with a straw",
    "fish cake with swirl": "fish cake",
    "soft ice cream": "ice cream cone",
    "ice cream": "bowl of ice cream",
    "bottle with popping cork": "champagne bottle",
    "fork and knife with plate": "plate with fork and knife",
    "automobile": "red car",
    "sport utility vehicle": "blue car",
    "articulated lorry": "truck",
    "high voltage": "lightning bolt",
    "jack-o-lantern": "halloween pumpkin",
    "pool 8 ball": "billiard ball",
    "flag in hole": "golf hole",
    "performing arts": "theater masks",
    "pile of poo": "poo",
    "lady beetle": "ladybug",
    "honeybee": "bee",
    "spouting whale": "spouting whale",
    "sheaf of rice": "rice plant",
    "ring buoy": "lifebuoy",
    "roll of paper": "toilet paper roll",
    "billed cap": "baseball cap",
    "rescue worker’s helmet": "hard hat",
    "globe showing Europe-Africa": "globe",
    "couch and lamp": "couch",
    "old key": "antique key",
    "electric plug": "power plug",
    "cloud with lightning": "thundercloud",
    "umbrella with rain drops": "umbrella in the rain",
    "lotion bottle": "bottle of lotion",
    "mobile phone": "smartphone",
    "optical disk": "compact disc",
    "headphone": "headphones",
    "locked": "padlock",
    "unlocked": "open padlock",
    "carpentry saw": "saw",
    "pick": "pickaxe",
    "anatomical heart": "anatomical heart",
    "see-no-evil monkey": "monkey covering its eyes",
    "hear-no-evil monkey": "monkey covering its ears",
    "speak-no-evil monkey": "monkey covering its mouth",
}


class Entry(NamedTuple):
    """One line of ``emoji-test.txt``: a single-code-point pictogram with its place in the table."""

    code_point: str
    name: str
    group: str
    subgroup: str


def read_emoji_test(text: str) -> Iterator[Entry]:
    """Yield the fully qualified single-code-point pictograms that the atlas is to hold."""
    group = subgroup = ""
    for line in text.splitlines():
        if line.startswith("# group:"):
            group = line.removeprefix("# group:").strip()
        elif line.startswith("# subgroup:"):
            subgroup = line.removeprefix("# subgroup:").strip()
        elif match := LINE.match(line):
            code_points = [point for point in match[1].split() if point != "FE0F"]
            name = match[2]
            if (
                len(code_points) == 1
                and group not in EXCLUDED_GROUPS
                and subgroup not in EXCLUDED_SUBGROUPS
                and not EXCLUDED_NAMES.search(name)
            ):
                yield Entry(code_points[0].lower(), name, group, subgroup)


def clean_name(name: str) -> str:
    """Return ``name`` as it is to stand in a caption: renamed, lower case, plain punctuation."""
    name = RENAMED.get(name, name)
    words = name.replace("’", "'").replace("person: ", "person with ").replace("ñ", "n").split()
    keep = {"T-Rex", "Santa", "Claus", "Mrs.", "Japanese", "Japan", "Tokyo", "Statue", "Liberty"}
    keep |= {"Christmas", "ZZZ", "Americas", "Asia-Australia", "OK", "NO"}
    return " ".join(word if word in keep else word.lower() for word in words)


def read_package(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the icon table and the code-point table of the artwork package at ``path``."""
    data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != ARTWORK_SHA256:
        raise ValueError(f"{path.name}: sha256 is {digest}, expected {ARTWORK_SHA256}")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        icons, chars = (
            json.load(stream)
            for name in ("package/icons.json", "package/chars.json")
            if (stream := archive.extractfile(name)) is not None
        )
    return icons, chars


def render(body: str) -> Image.Image:
    """Rasterise one drawing (its viewBox is 128 units wide) to a straight-alpha RGBA tile."""
    view_box = f'viewBox="0 0 {TILE} {TILE}" width="{TILE}" height="{TILE}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {view_box}>{body}</svg>'
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=TILE, height=TILE))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def build(tarball: Path, emoji_test: Path, output: Path) -> None:
    """Write ``atlas.webp`` and ``glyphs.json`` to ``output``."""
    icons, chars = read_package(tarball)
    entries = [
        entry
        for entry in read_emoji_test(emoji_test.read_text(encoding="utf-8"))
        if entry.code_point in chars
    ]
    rows = -(-len(entries) // COLUMNS)
    atlas = Image.new("RGBA", (COLUMNS * TILE, rows * TILE))
    records: list[dict[str, str]] = []
    for index, entry in enumerate(entries):
        name = chars[entry.code_point]
        icon = icons["icons"].get(name) or icons["icons"][icons["aliases"][name]["parent"]]
        atlas.paste(render(icon["body"]), (index % COLUMNS * TILE, index // COLUMNS * TILE))
        records.append(entry._replace(name=clean_name(entry.name))._asdict())
    atlas.save(output / "atlas.webp", lossless=True, quality=100, method=6)
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    (output / "glyphs.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def main() -> None:
    """Read the three paths from the command line and build the atlas."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tarball", type=Path, help="iconify-json-noto-1.2.9.tgz")
    parser.add_argument("emoji_test", type=Path, help="emoji-test.txt, version 15.0")
    parser.add_argument("output", type=Path, help="folder for atlas.webp and glyphs.json")
    arguments = parser.parse_args()
    build(arguments.tarball, arguments.emoji_test, arguments.output)


if __name__ == "__main__":
    main()
