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
    "1st place medal": "first place medal",
    "2nd place medal": "second place medal",
    "3rd place medal": "third place medal",
    "adhesive bandage": "bandage",
    "alien monster": "pixel monster",
    "articulated lorry": "truck",
    "automobile": "red car",
    "baby chick": "chick",
    "badminton": "badminton racket",
    "baguette bread": "baguette",
    "basket": "wicker basket",
    "beetle": "green beetle",
    "bell pepper": "green bell pepper",
    "billed cap": "baseball cap",
    "blowfish": "pufferfish",
    "bottle with popping cork": "champagne bottle",
    "bowl with spoon": "bowl of soup",
    "bowling": "bowling pins",
    "bread": "loaf of bread",
    "brick": "brick wall",
    "bubbles": "soap bubbles",
    "bug": "caterpillar",
    "camping": "campsite",
    "carpentry saw": "saw",
    "cheese wedge": "wedge of cheese",
    "classical building": "greek temple",
    "closed book": "red book",
    "closed mailbox with raised flag": "mailbox",
    "cloud with lightning": "thundercloud",
    "cloud with rain": "rain cloud",
    "cooking": "fried egg in a pan",
    "couch and lamp": "couch",
    "cricket game": "cricket bat",
    "crying face": "face with one tear",
    "cup with straw": "paper cup with a straw",
    "cut of meat": "steak",
    "deciduous tree": "tree",
    "dollar banknote": "bundle of dollar bills",
    "doughnut": "donut",
    "dna": "DNA strand",
    "droplet": "water drop",
    "ear of corn": "corn cob",
    "electric plug": "power plug",
    "enraged face": "angry red face",
    "evergreen tree": "pine tree",
    "ewe": "sheep",
    "face screaming in fear": "screaming face",
    "fire engine": "fire truck",
    "fish cake with swirl": "fish cake",
    "flag in hole": "golf hole",
    "flying disc": "frisbee",
    "folding hand fan": "hand fan",
    "fork and knife with plate": "plate with fork and knife",
    "game die": "white die",
    "gem stone": "diamond",
    "globe showing Europe-Africa": "globe",
    "goggles": "ski goggles",
    "headphone": "headphones",
    "hear-no-evil monkey": "monkey covering its ears",
    "high voltage": "lightning bolt",
    "high-heeled shoe": "high heel",
    "honeybee": "bee",
    "hot beverage": "cup of coffee",
    "hot pepper": "red chili pepper",
    "hourglass done": "hourglass",
    "ice": "ice cube",
    "ice cream": "bowl of ice cream",
    "ice hockey": "hockey stick",
    "jack-o-lantern": "halloween pumpkin",
    "kiwi fruit": "kiwi",
    "lady beetle": "ladybug",
    "leafy green": "lettuce",
    "locked": "padlock",
    "locomotive": "steam locomotive",
    "lotion bottle": "bottle of lotion",
    "loudly crying face": "crying face",
    "loudspeaker": "loudspeaker with handle",
    "magnifying glass tilted right": "magnifying glass",
    "man’s shoe": "leather shoe",
    "martial arts uniform": "karate uniform",
    "mate": "cup of mate",
    "merperson": "mermaid",
    "mobile phone": "smartphone",
    "musical keyboard": "piano keyboard",
    "necktie": "shirt and tie",
    "old key": "antique key",
    "optical disk": "compact disc",
    "package": "cardboard box",
    "passenger ship": "cruise ship",
    "performing arts": "theater masks",
    "pick": "pickaxe",
    "ping pong": "ping pong paddle",
    "pool 8 ball": "billiard ball",
    "postbox": "red postbox",
    "pot of food": "stew pot",
    "poultry leg": "chicken leg",
    "pushpin": "red pushpin",
    "rescue worker’s helmet": "hard hat",
    "ring": "diamond ring",
    "ring buoy": "lifebuoy",
    "roll of paper": "toilet paper roll",
    "running shoe": "sneaker",
    "salt": "salt shaker",
    "satellite antenna": "satellite dish",
    "see-no-evil monkey": "monkey covering its eyes",
    "shallow pan of food": "paella",
    "sheaf of rice": "rice plant",
    "ship": "ocean liner",
    "smiling face with heart-eyes": "face with heart eyes",
    "smiling face with horns": "purple devil face",
    "smiling face with sunglasses": "face with sunglasses",
    "luggage": "suitcase",
    "shower": "shower head",
    "soap": "bar of soap",
    "soft ice cream": "ice cream cone",
    "speak-no-evil monkey": "monkey covering its mouth",
    "speaker high volume": "loudspeaker",
    "spiral shell": "seashell",
    "sport utility vehicle": "blue car",
    "sports medal": "gold medal",
    "steaming bowl": "bowl of noodles",
    "straight ruler": "ruler",
    "sun": "plain sun",
    "sun with face": "sun",
    "teacup without handle": "cup of green tea",
    "tennis": "tennis racket",
    "thong sandal": "flip-flop",
    "thread": "spool of thread",
    "tram": "yellow tram",
    "umbrella with rain drops": "umbrella in the rain",
    "unlocked": "open padlock",
    "vertical traffic light": "traffic light",
    "video game": "game controller",
    "woman’s boot": "tall boot",
    "woman’s hat": "sun hat",
    "wood": "wooden log",
    "wrapped gift": "gift box",
    "yarn": "ball of yarn",
}


class Entry(NamedTuple):
    """One line of ``emoji-test.txt``: a single-code-point pictogram with its place in the table."""

    code_point: str
    name: str
    group: str
    subgroup: str


def read_emoji_test(text: str) -> Iterator[Entry]:
    """Yield the pictograms of the atlas: fully qualified, of one code point, not excluded."""
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
    """Return ``name`` in the form of captions: renamed, lower case, plain punctuation."""
    name = RENAMED.get(name, name)
    words = name.replace("’", "'").replace("person: ", "person with ").replace("ñ", "n").split()
    keep = {"T-Rex", "Santa", "Claus", "Mrs.", "Japanese", "Japan", "Tokyo", "Statue", "Liberty"}
    keep |= {"Christmas", "ZZZ", "Americas", "Asia-Australia", "OK", "NO", "DNA"}
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
