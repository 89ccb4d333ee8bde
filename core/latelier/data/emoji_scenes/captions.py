"""Words for a scene: articles, backgrounds, relations and sentence templates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latelier.data.emoji_scenes.backgrounds import BackgroundInfo
from latelier.data.emoji_scenes.claims import Caption, Claims, ObjectDetails, RelationClaim
from latelier.data.emoji_scenes.layout import Relation
from latelier.data.emoji_scenes.places import PLACES

# Plurals, masses and proper names: these take no article.
_BARE_NAMES = """
admission tickets | bacon | ballet shoes | beans | blueberries | bookmark tabs | books |
bowling pins | briefs | broccoli | busts in silhouette | butter | card index dividers | chains |
cherries | chopsticks | clapping hands | clinking beer mugs | clinking glasses | control knobs |
cooked rice | coral | crossed fingers | curry rice | eyes | falafel | film frames | fire |
fireworks | fleur-de-lis | flexed biceps | flower playing cards | fog | footprints |
french fries | garlic | ginger root | glasses | gloves | grapes | headphones | heart hands |
hot springs | houses | hundred points | Japanese dolls | jeans | lettuce | linked paperclips |
lungs | maracas | men holding hands | money with wings | mount fuji | Mrs. Claus | musical notes |
nesting dolls | no bicycles | no mobile phones | no pedestrians | oden | open hands |
palms up together | pancakes | paw prints | peanuts | people hugging | people with bunny ears |
pinched fingers | popcorn | raising hands | revolving hearts | sake | Santa Claus | scissors |
shaved ice | shopping bags | shorts | ski goggles | skis | skull and crossbones | soap bubbles |
socks | spaghetti | sparkles | sunglasses | sushi | sweat droplets | theater masks | thumbs down |
thumbs up | two hearts | woman and man holding hands | woman's clothes | women holding hands |
ZZZ
"""
_BARE = frozenset(" ".join(_BARE_NAMES.split()).split(" | "))
_ARTICLES = {
    "euro banknote": "a",
    "hourglass": "an",
    "hourglass not done": "an",
    "milky way": "the",
    "one-piece swimsuit": "a",
    "Statue of Liberty": "the",
    "unicorn": "a",
    "x-ray": "an",
}

_MADE_OF = {"stripes": "striped", "checks": "checkered"}


def article(name: str) -> str:
    """Return "a", "an" or "the", or "" for a plural, a mass noun, a proper name or a slot."""
    if name in _BARE or is_slot(name):
        return ""
    return _ARTICLES.get(name) or ("an" if name[0].lower() in "aeiou" else "a")


def is_slot(name: str) -> bool:
    """Return whether a name is a slot, such as "#1"."""
    return name.startswith("#")


def noun_phrase(name: str, adjectives: str = "") -> str:
    """Return the name with its article, as in "an umbrella", "grapes" or "a small umbrella"."""
    before = article(name)
    if adjectives and before == "an":
        before = article(adjectives)
    return " ".join(word for word in (before, adjectives, name) if word)


def background_phrase(info: BackgroundInfo) -> str:
    """Return the background with a preposition: "on a blue background", "in a meadow"."""
    if info.kind == "place":
        return PLACES[info.style].where
    first = info.colors[0]
    if info.kind == "plain":
        looks = f"{first} background"
    elif info.kind == "dots":
        looks = f"{first} background with {info.colors[1]} dots"
    elif info.kind == "gradient":
        looks = f"{' and '.join(info.colors)} gradient background"
    else:
        looks = f"{first} and {info.colors[1]} {_MADE_OF[info.kind]} background"
    return f"on {noun_phrase(looks)}"


def background_tag(info: BackgroundInfo) -> str:
    """Return the background as an item of a list: "striped red and white background", "meadow"."""
    if info.kind == "place":
        return info.style
    colors = " and ".join(info.colors)
    if info.kind in _MADE_OF:
        return f"{_MADE_OF[info.kind]} {colors} background"
    if info.kind == "dots":
        return f"{info.colors[0]} background, {info.colors[1]} dots"
    return f"{colors} gradient background" if info.kind == "gradient" else f"{colors} background"


def enumerate_nouns(names: Sequence[str]) -> str:
    """Return noun phrases joined: "a cat", "a cat and a dog", "a cat, a dog and an owl"."""
    return enumerate_phrases([noun_phrase(name) for name in names])


def enumerate_phrases(phrases: Sequence[str]) -> str:
    """Return phrases joined by commas and "and", as in `enumerate_nouns`."""
    if len(phrases) == 1:
        return phrases[0]
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def write_caption(
    names: Sequence[str],
    background: BackgroundInfo | None,
    rng: np.random.Generator,
    relation: Relation | None = None,
) -> Caption:
    """Return a caption of names, a relation and the background, from a random template.

    Args:
        names: of the objects.
        background: None: the caption does not mention it.
        rng: source of random numbers.
        relation: of the first of exactly two objects to the second, such as "to the left of".
    """
    subject = enumerate_nouns(names)
    relations: tuple[RelationClaim, ...] = ()
    if relation is not None and rng.random() < 0.7:
        subject = f"{noun_phrase(names[0])} {relation} {noun_phrase(names[1])}"
        relations = (RelationClaim(0, relation, 1),)
    claims = Claims(background is not None, (ObjectDetails(),) * len(names), relations)
    if background is None:
        return Caption(subject, claims)
    template = rng.random()
    if 0.75 <= template < 0.9:
        return Caption(
            f"{', '.join(names)}, {background_tag(background)}", replace(claims, relations=())
        )
    return Caption(_add_background(subject, background, template), claims)


def write_empty_caption(background: BackgroundInfo, rng: np.random.Generator) -> Caption:
    """Return a caption of a scene without objects, such as "in a meadow", "nothing at sea"."""
    phrase, tag = background_phrase(background), background_tag(background)
    texts = (phrase, tag, f"nothing {phrase}", f"no object, {tag}")
    return Caption(texts[int(rng.integers(len(texts)))], Claims(True, ()))


def _add_background(subject: str, background: BackgroundInfo, template: float) -> str:
    if template < 0.55:
        return f"{subject} {background_phrase(background)}"
    if template < 0.75:
        return f"{subject}, {background_tag(background)}"
    if background.kind == "place":
        return f"{background_phrase(background)}, {subject}"
    return f"{noun_phrase(background_tag(background))} with {subject}"
