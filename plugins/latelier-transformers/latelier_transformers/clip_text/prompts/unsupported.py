"""What people write in prompts, and no rule here follows."""

import re
from collections.abc import Mapping, Sequence

_WORDS = "is read as words"
_UNSUPPORTED: Mapping[str, Mapping[str, str]] = {
    "a1111": {
        r"<(?:lora|lyco|hypernet):[^<>]*>": f"{_WORDS}: attach the file as an adapter",
        r"(?<!\\)\[[^\[\]()]*[:|][^\[\]()]*\]": "changes no words from step to step: its brackets "
        "only lower their weight",
        r"\bAND\b": f"{_WORDS}: the guidance 'composable' takes several prompts",
    },
    "comfyui": {
        r"<lora:[^<>]*>": f"{_WORDS}: attach the file as an adapter",
        r"\bembedding:\S+": f"{_WORDS}: attach the file as an adapter, and write its word alone",
        r"\bBREAK\b": f"{_WORDS}, as ComfyUI does",
    },
}


def find_unsupported(prompt: str, syntax: str) -> Sequence[str]:
    """Return a warning for each kind of mark that a prompt has and its syntax here ignores."""
    found = {
        match.group(): reason
        for pattern, reason in _UNSUPPORTED.get(syntax, {}).items()
        if (match := re.search(pattern, prompt))
    }
    return tuple(f"'{mark}' {reason}" for mark, reason in found.items())
