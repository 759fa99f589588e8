"""How web text gets into a prompt: as data, never as instructions.

Every prompt of the project quotes documents through :func:`as_data`. Prompt texts themselves live with their
stages; each is a :class:`Template` whose version is a hash of its words, so that an edited prompt invalidates
exactly its own generations.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

__all__ = ["TAG_TOKEN", "Template", "as_data", "neutralise_control_tokens"]

# The harmfulness tag (SP section 4).
TAG_TOKEN = "<potentially_unsafe_content>"

# What chat templates and taggers of the supported models give a meaning to: <|...|>, [INST], <s>, <think>, the tag.
_CONTROL = re.compile(
    r"<\|[^<>|\n]{1,64}\|>|\[/?INST\]|<</?SYS>>|</?s>|</?think>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
    r"|<potentially_unsafe_content>",
    re.IGNORECASE,
)
# Zero-width and bidirectional characters hide words from a scorer; a reader of the page never sees them.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


@dataclass(frozen=True)
class Template:
    """A named prompt text. ``version`` changes whenever a word of it does."""

    name: str
    words: str

    @property
    def version(self) -> str:
        """Name and the first 12 hex digits of the SHA-256 of the words."""
        return f"{self.name}@{hashlib.sha256(self.words.encode()).hexdigest()[:12]}"


def neutralise_control_tokens(text: str) -> str:
    """Break every control token with a space after its first character, so that no tokenizer takes it for one."""
    return _CONTROL.sub(lambda match: match[0][0] + " " + match[0][1:], text)


def as_data(text: str, *, max_chars: int) -> str:
    """A document as quoted data: invisible characters gone, control tokens broken, fenced, cut to ``max_chars``.

    A long text keeps its beginning and its end, since an unsafe passage may stand at either. The fence's own
    words cannot occur inside it.
    """
    visible = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    plain = neutralise_control_tokens(visible).replace("[[[", "[ [ [").replace("]]]", "] ] ]")
    if len(plain) > max_chars:
        half = max_chars // 2
        plain = plain[:half].rstrip() + "\n…\n" + plain[-half:].lstrip()
    return f"[[[\n{plain.strip()}\n]]]"
