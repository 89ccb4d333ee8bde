"""What people write in prompts, and no rule here follows."""

import re
from collections.abc import Collection, Mapping, Sequence

from latelier_transformers.clip_text.prompts.comfyui import EMBEDDING

_WORDS = "is read as words"
_UNSUPPORTED: Mapping[str, Mapping[str, str]] = {
    "a1111": {
        r"<(?:lora|lyco|hypernet):[^<>]*>": f"{_WORDS}: attach the file as an adapter",
        r"(?<!\\)\[[^\[\]()]*[:|][^\[\]()]*\]": "changes no words from step to step: its brackets "
        "only lower their weight",
        r"\bAND\b": f"{_WORDS}: the guidance 'composable' takes several prompts",
        r"\bembedding:[^\s,:()]+": f"{_WORDS}: attach the file as an adapter, and write its name "
        "alone",
    },
    "comfyui": {
        r"<lora:[^<>]*>": f"{_WORDS}: attach the file as an adapter",
        r"\bBREAK\b": f"{_WORDS}, as ComfyUI does",
    },
}


def find_unsupported(prompt: str, syntax: str, words: Collection[str]) -> Sequence[str]:
    """Return a warning for each kind of mark that a prompt has and its syntax here ignores.

    Args:
        prompt: as people write it.
        syntax: what it is read as.
        words: of textual inversion that are known, in lower case.
    """
    found = {
        match.group(): reason
        for pattern, reason in _UNSUPPORTED.get(syntax, {}).items()
        if (match := re.search(pattern, prompt))
    }
    if syntax == "comfyui":
        for match in EMBEDDING.finditer(prompt):
            if match[1].lower() not in words:
                found[match[0]] = (
                    "names no embedding that is attached: attach its file as an adapter"
                )
    return tuple(f"'{mark}' {reason}" for mark, reason in found.items())
