"""Masks that words wear in writing, each undone by one function from text to text.

Each looks first for what it undoes, and is careful: product codes, prices, addresses, hashes and program code should
stay as they are. None goes back over a text, so that time grows with its length only.
"""

from __future__ import annotations

import binascii
import codecs
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import unquote_to_bytes

from safety_assets.scoring.look_alikes import reads_as_latin

__all__ = ["unmasked_once"]

# Numeric references hide letters; a page's stray &amp; or &nbsp; hides none.
_REFERENCE = re.compile(r"&(?:amp;)*#(?:[0-9]{2,7}|[xX][0-9a-fA-F]{2,6});?|&(?:shy|zwn?j|ZeroWidthSpace);")
_ESCAPE = re.compile(r"\\u\{?[0-9a-fA-F]{4}\}?|\\x[0-9a-fA-F]{2}")
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_PERCENT_LETTER = re.compile(r"%(?:4[1-9a-fA-F]|5[0-9aA]|6[1-9a-fA-F]|7[0-9aA])")
_WORD = re.compile(r"\S+")
_BASE64 = re.compile(
    r"(?<![\w+/=-])[A-Za-z0-9+/_-]{16,}(?:[ \t]*\r?\n[ \t]*[A-Za-z0-9+/_-]{4,}(?![^\s=]))*(?![\w+/-])={0,2}"
)
_HEX = re.compile(r"(?<![0-9a-zA-Z])(?:(?:0x|\\x)?[0-9a-fA-F]{2}[ ,:]?){12,}(?![0-9a-zA-Z])")
_BINARY = re.compile(r"(?<![0-9])(?:[01]{8}[ ,]?){8,}(?![0-9])")
# Lines of one word that may stand right below encoded text, as a greeting and a name do.
WORDS_AFTER = 4
# Of decoded text, the least share of letters and spaces.
TEXT_SHARE = 0.8

_OTHER_WORD = re.compile(
    "(?<![^\\W_])[\u0370-\u058f\u13a0-\u13ff\u2c80-\u2cff\ua4d0-\ua4ff]{1,24}(?![^\\W_])"
)
_ASCII_LETTER = re.compile(r"[A-Za-z]")

# Letters apart by one and the same separator: three small ones, or five.
_SEPARATOR = "( {1,3}|[\u00a0\u2000-\u200a\u202f\u205f\u3000\t.\\-_*~|/+,'·•])"
_APART = re.compile(
    rf"(?<![^\W_])(?<![^\W_][.'])(?:[A-Za-z]{_SEPARATOR}[a-z](?:\1[a-z])+|[A-Za-z]{_SEPARATOR}[A-Za-z](?:\2[A-Za-z]){{3,}})(?![^\W_])(?!['.][^\W_])"
)
# Words of two letters apart are joined where this many separators have gone, and more: the text spells words out.
_PAIR_APART = re.compile(
    r"(?<![^\W_])(?<!\.)[A-Za-z]([.\-_*~|/+,'·•])[A-Za-z](?![^\W_])(?!\.\w)|(?<=  )[A-Za-z]([ \u00a0])[A-Za-z](?=  )"
)
SPELLED_OUT = 12

_LEET = str.maketrans("01345789@$!|", "oieastbgasil")
_WITHOUT_LEET = str.maketrans("", "", "01345789@$!|")
_VOWEL = re.compile("[aeiouy]")
_LEET_INSIDE = re.compile(r"[A-Za-z][0134578@$!|]{1,2}[A-Za-z]")
_LEET_WORD = re.compile(
    r"(?<![\w@$!|/.=\\#&?%:~])(?=[A-Za-z]*['’]?[0134578@$!|])[A-Za-z0134578@$!|]{1,24}(?:['’][A-Za-z0134578]{1,2})?"
    r"(?![\w@$/=\\|]|[.:]\w|\()"
)
_UNIT = re.compile(
    r"[$]?\d*(?:1st|2nd|3rd)|0x\w+|[$]?\d+(?:th|s|am|pm|[gmkt]b|[kcm]?m|m[lg]|kg|[kmbxhgdkvwa]|ft|in|lbs?|oz|yo|hrs?|mins?|sec|px|pt|bn?|mph|kw|hz|d)",
    re.IGNORECASE,
)
# Words with a digit inside that say what they say.
_CODES = frozenset("h1n1 h5n1 h3n8 h7n7 w3c w3schools k8s log4j p0 mp3s mp4s a11y s3 b3b n0 x0r".split())
# Words this often in disguise, of all words, let single digits and short words be read as letters too.
LEET_SHARE = 0.1
_DIGIT_WORDS = frozenset("4 1 70 17 15 45 47 50 700 175 537 17'5".split())
# Letters that hardly ever follow a letter in English, from counts over the packaged texts.
_RARE = re.compile(
    "aa|b[cdfghknpqvwxz]|c[bdfgjmnpqvwxz]|d[kqxz]|f[bcdghjkmnpqvwxz]|g[bcdfjkqvxz]|h[cfghjkqvxz]|i[hijw]|j[^aeiou]|k[gjkqvxz]|"
    "l[gjqxz]|m[cdfghjkqtvxz]|oq|p[cfgjnqvwxz]|q[^u]|r[jqxz]|s[jvxz]|t[jkqvxz]|u[hjkquvw]|v[^aeioy]|w[cgjkmpquvwxz]|"
    "x[bdfgjklnoqrsvwz]|y[jquvxyz]|z[bcdfghjkmnpqrstuvwx]"
)

_COMMON = frozenset(
    "the and you that for with this have are not from they will your what was but all is of to my there people when how could".split()
)
_ROTATED = frozenset(codecs.encode(word, "rot13") for word in _COMMON)
_REVERSED = frozenset(word[::-1] for word in _COMMON)
# Common words that a line must show before it is read another way.
COMMON_WORDS = 3


def unmasked_once(text: str) -> str:
    """The text with one layer of every mask undone."""
    text = _without_references(text)
    text = _BASE64.sub(_decoded_base64, text)
    text = _HEX.sub(_decoded_hex, text)
    text = _BINARY.sub(_decoded_binary, text)
    if not text.isascii():
        text = _in_latin(text)
    text = _with_letters_joined(text)
    text = _without_leet(text)
    return _turned(text)


def _without_references(text: str) -> str:
    if "&" in text:
        text = _REFERENCE.sub(_referred, text)
    if "\\" in text:
        text = _ESCAPE.sub(_escaped, text)
    if "%" in text and _PERCENT.search(text):
        text = _WORD.sub(_without_percent, text)
    return text


def _referred(match: re.Match[str]) -> str:
    if "#" not in match[0]:
        return ""
    character = html.unescape("&" + match[0][match[0].index("#") :].rstrip(";") + ";")
    return (
        character if character.isalnum() or (character.isspace() or not character.isprintable()) else match[0]
    )


def _escaped(match: re.Match[str]) -> str:
    character = chr(int(match[0][2:].strip("{}"), 16))
    return character if character.isalnum() or character == " " else match[0]


def _without_percent(match: re.Match[str]) -> str:
    """Letters are never escaped in earnest; other escapes are read where a word has many and is no address."""
    word = match[0]
    if not _PERCENT_LETTER.search(word) and (word.count("%") < 3 or "://" in word or word.count("%20") < 3):
        return word
    try:
        read = unquote_to_bytes(word.replace("%25", "%")).decode()
    except UnicodeError:
        return word
    return read if all(letter.isprintable() or letter.isspace() for letter in read) else word


def _decoded_base64(match: re.Match[str]) -> str:
    block = match[0].rstrip("=")
    for end in _ends_of_base64(block):
        text = _text_of_base64("".join(block[:end].split()))
        if text is not None:
            return f" {text} {match[0][end:].lstrip('=')}"
    return match[0]


def _ends_of_base64(block: str) -> Iterator[int]:
    """Where the encoded text may end: lines that follow may be ordinary words."""
    end = len(block)
    for _ in range(WORDS_AFTER + 1):
        yield end
        end = block.rfind("\n", 0, end)
        if end <= 0:
            return
    yield block.find("\n")


def _text_of_base64(encoded: str) -> str | None:
    encoded = encoded.replace("-", "+").replace("_", "/")
    encoded = encoded[: len(encoded) - (len(encoded) % 4 == 1)]
    try:
        return _as_text(binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4)))
    except binascii.Error:
        return None


def _decoded_hex(match: re.Match[str]) -> str:
    text = _as_text(bytes.fromhex(re.sub(r"0x|\\x|[ ,:]", "", match[0])))
    return match[0] if text is None else f" {text} "


def _decoded_binary(match: re.Match[str]) -> str:
    digits = re.sub("[ ,]", "", match[0])
    text = _as_text(bytes(int(digits[at : at + 8], 2) for at in range(0, len(digits), 8)))
    return match[0] if text is None else f" {text} "


def _as_text(decoded: bytes) -> str | None:
    """Decoded bytes where they are writing: mostly letters and spaces, or another layer of the same."""
    try:
        text = decoded.replace(b"\0", b"").decode()
    except UnicodeError:
        return None
    letters = sum(character.isalnum() or character.isspace() for character in text)
    return text if text and letters >= TEXT_SHARE * len(text) else None


def _in_latin(text: str) -> str:
    """Words all of look-alikes, where most of the text is Latin."""
    if 2 * len(text.encode("ascii", "ignore")) < len(text):
        return text
    return _OTHER_WORD.sub(lambda match: reads_as_latin(match[0]) or match[0], text)


def _with_letters_joined(text: str) -> str:
    joined = _APART.sub(_joined, text)
    if len(text) - len(joined) < SPELLED_OUT:
        return joined
    return _PAIR_APART.sub(lambda match: match[0].replace(match[1] or match[2], ""), joined)


def _joined(match: re.Match[str]) -> str:
    letters = match[0].replace(match[1] or match[2], "")
    return letters if len(set(letters.lower())) > 1 else match[0]


def _without_leet(text: str) -> str:
    if not _LEET_INSIDE.search(text):
        return text
    counts = Counter(_LEET_WORD.findall(text))
    disguised = {word for word in counts if _is_leet(word)}
    if not disguised:
        return text
    if sum(counts[word] for word in disguised) >= LEET_SHARE * (text.count(" ") + 1):
        disguised |= {word for word in counts if _may_be_leet(word)}
    return _LEET_WORD.sub(lambda match: _letters(match[0]) if match[0] in disguised else match[0], text)


def _is_leet(word: str) -> bool:
    """A word of small letters with a digit or sign between them, pronounceable when read as letters."""
    bare = word.rstrip("!|")
    if not _LEET_INSIDE.search(bare) or bare.lower() in _CODES or _UNIT.fullmatch(bare):
        return False
    letters = len(bare.translate(_WITHOUT_LEET))
    large = bare.isupper()
    if 2 * letters < len(bare) or (large and letters < 3) or not (large or bare[1:].islower()):
        return False
    read = _letters(bare).lower()
    return bool(_VOWEL.search(read)) and not _RARE.search(read)


def _may_be_leet(word: str) -> bool:
    bare = word.rstrip("!|")
    return bare in _DIGIT_WORDS or (bool(_ASCII_LETTER.search(bare)) and not _UNIT.fullmatch(bare))


def _letters(word: str) -> str:
    """1 and ! stand for i, and for l where that is likelier: after an i, or in the second place of llo, lla, lly."""
    bare = word.rstrip("!|")
    read: list[str] = []
    for at, character in enumerate(bare):
        letter = character.translate(_LEET)
        if character in "1!" and read:
            before_vowel = bare[at + 1 : at + 2].lower() in tuple("aoy04@")
            if read[-1] in "iI" or (read[-1] in "lL" and before_vowel):
                letter = "l"
        read.append(letter)
    return "".join(read) + word[len(bare) :]


def _turned(text: str) -> str:
    """Lines in rot13, or from right to left, where that shows more common words than the line as it stands."""
    words = set(text.lower().split())
    for turned, turn in ((_ROTATED, _rotated), (_REVERSED, _mirrored)):
        if len(words & turned) > 1:
            lines = text.split("\n")
            text = "\n".join(turn(line) if _is_turned(line, turned, turn) else line for line in lines)
    return text


def _is_turned(line: str, turned: frozenset[str], turn: Callable[[str], str]) -> bool:
    """Whether turning makes more of the line English: a few turned words must not garble others that can be read."""
    words = line.lower().split()
    found = sum(word in turned for word in words)
    return (
        found >= COMMON_WORDS
        and found > 2 * sum(word in _COMMON for word in words)
        and _unlikely(turn(line)) < _unlikely(line)
    )


def _unlikely(line: str) -> int:
    """How many pairs of letters are hardly ever found in English."""
    return len(_RARE.findall(line.lower()))


def _rotated(line: str) -> str:
    return codecs.encode(line, "rot13")


def _mirrored(line: str) -> str:
    return line[::-1]
