"""Letters that pass for Latin ones, and characters that are not seen: a word read as it looks.

Words of other languages stay as they are: a letter of another alphabet is read as Latin only in a word that has Latin
letters too and whose other letters all pass for Latin.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["plain_word", "reads_as_latin"]

# Forms of Latin letters, by their names in Unicode: phonetic and African letters, small capitals. Some have other names.
_NAMED = re.compile(r"LATIN (?:(?:SMALL|CAPITAL) )?LETTER (?:[A-Z]+ )*?([A-Z])(?: WITH.*)?")
_NAMED_RANGES = (
    (0x180, 0x1CD),
    (0x21C, 0x226),
    (0x250, 0x2B0),
    (0x1D00, 0x1DC0),
    (0x2C60, 0x2C80),
    (0xA720, 0xA800),
    (0xAB30, 0xAB70),
)
_PHONETIC = "ɑa ɩi ɥh ƅb ƨs ƽs ʊu ʌv ʃf ɣy ɸo ƞn"
# Letters of other alphabets, written by hand: each with the Latin letter it passes for.
_OTHER = (
    "аa вb ьb ЬB ҽe ѐe ёe сc ԁd еe є\u0065 ғf ԍg һh нh іi їi јj кk қk ӏl мm пn ոn оo рp ԛq гr ґr ѕs тt цu уy ўy ү\u0079 ѵv ѡw ԝw шw хx ҳx з\u007a "
    "АA ВB СC ԀD ЕE ҒF ԌG НH ҺH ІI ЇI ЈJ КK ҚK ӀI МM ОO РP ԚQ ЅS ТT УY ҮY ѴV ԜW ХX ҲX "
    "αa βb ϲc δd εe ϵe ηn ιi ϳj κk νv οo σo ρp τt υu χx γy ωw ϝf ζz ϐb ϱp "
    "ΑA ΒB ϹC ΕE ϜF ΗH ΙI ͿJ ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX ΖZ "
    "աw հh յj կk ոn սu ցg օo զq գq ղn ձd ԼL ՏS ՍU ՕO ՈN ԱU ՀZ "
    "ᎪA ᏴB ᏟC ᎠD ᎬE ᎶG ᎻH ᎥI ᎫJ ᏦK ᏞL ᎷM ᎾO ᏢP ᏒR ᏚS ᎢT ᏙV ᎳW ᏃZ "
    "ⲁa ⲃb ⲥc ⲉe ⲓi ⲕk ⲙm ⲛn ⲟo ⲣp ⲧt ⲭx ꓮA ꓐB ꓚC ꓓD ꓰE ꓝF ꓖG ꓧH ꓲI ꓙJ ꓗK ꓡL ꓟM ꓠN ꓳO ꓑP ꓣR ꓢS ꓔT ꓴU ꓦV ꓪW ꓫX ꓬY ꓜZ"
)


def _named_forms() -> dict[str, str]:
    """Character to its Latin letter. Accented letters, which are a letter and a mark to Unicode, are letters themselves."""
    forms = {}
    for first, end in _NAMED_RANGES:
        for character in map(chr, range(first, end)):
            found = _NAMED.fullmatch(unicodedata.name(character, ""))
            if found and not unicodedata.decomposition(character):
                forms[character] = found[1] if character.isupper() else found[1].lower()
    return forms


_FORMS = _named_forms() | {pair[0]: pair[1] for pair in _PHONETIC.split()}
_LATIN_OF = str.maketrans(_FORMS | {pair[0]: pair[1] for pair in _OTHER.split()})

# Never seen, in any script: soft hyphens, zero-width spaces, marks of direction, tags.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]+"
)
# No space to Unicode, but to a reader: fillers, and Braille without a dot.
_BLANK = re.compile("[\u115f\u1160\u2800\u3164\uffa0]+")
# Joiners and forms belong into other scripts and emoji; after a Latin, Greek, Cyrillic or Armenian letter, or another that
# passes for Latin, they hide words.
_PASSING = "".join(sorted(chr(code) for code in _LATIN_OF if code >= 0x590))
_MISPLACED = re.compile(f"(?:(?<![\u0590-\U0010ffff])|(?<=[{_PASSING}]))[\u200c\u200d\ufe00-\ufe0f]+")
# Readings of a word: one more changes few words, and each takes time.
MOST_READINGS = 8
# A flag of a region has six tag characters; more spell a hidden text.
_TAGS = re.compile("[\U000e0020-\U000e007e]{8,}")
_MARKS = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
_PILED_MARKS = re.compile(f"[{_MARKS}]{{2,}}|[\u0335-\u0338\u0488\u0489\u20d0-\u20f0]")
_ANY_MARK = re.compile(f"[{_MARKS}]+")
_LETTERS = re.compile(r"[^\W\d_]+")
# What most words of other languages are made of, and nothing passes for anything: accented Latin, Greek, or Cyrillic
# letters alone; Chinese, Japanese and Korean; with the punctuation around them. For speed: such words are not looked at.
_SIGNS = "!-@\\[-`{-~\u00a1-\u00a9\u00ab\u00ae-\u00b1\u00b6\u00b7\u00bb\u00bf\u2010-\u2015\u2018-\u201f\u2020-\u2026\u20ac"
_ORDINARY = re.compile(
    f"[A-Za-z\u00c0-\u017f{_SIGNS}]+|[\u0400-\u0482\u048a-\u04ff{_SIGNS}]+|[\u0388-\u03cf{_SIGNS}]+"
    f"|[\u3001-\u303f\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff0f\uff1a-\uff20{_SIGNS}]+"
)
# Fullwidth signs stand beside Chinese letters; beside Latin ones they are a disguise as well.
_WIDE_SIGNS = {0xFF01 + sign: 0x21 + sign for sign in range(0x5E)}
# Unicode's limit for streams; sorting longer runs takes time that grows with their square.
MOST_MARKS = 30


class _Compatible(dict[int, str]):
    """Character to the Latin letters it is a form of (fullwidth, mathematical, circled), or to itself; grows as asked."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        found = unicodedata.normalize("NFKC", character)
        if code < 0x250 or 0x1E00 <= code < 0x2000 or character in "™℠" or not _is_latin_word(found):
            found = _boxed(code) or character
        self[code] = found
        return found


_COMPATIBLE = _Compatible()


def plain_word(word: str) -> str:
    """A word without what is not seen, with letters as they look. Reading it again changes nothing."""
    if _ORDINARY.fullmatch(word):
        return word
    for _ in range(MOST_READINGS):
        read, word = word, _read_once(word)
        if read == word:
            break
    letters = [sign for sign in word if sign.isalpha()]
    return word.translate(_WIDE_SIGNS) if letters and all(map(str.isascii, letters)) else word


def reads_as_latin(word: str) -> str | None:
    """The Latin word that a run of letters passes for, were it all of another alphabet; None where a letter does not."""
    read = word.translate(_LATIN_OF)
    return read if read.isascii() else None


def _few_marks(word: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in word:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _read_once(word: str) -> str:
    word = _TAGS.sub(lambda tags: "".join(chr(ord(tag) - 0xE0000) for tag in tags[0]), word)
    word = _BLANK.sub(" ", _MISPLACED.sub("", _UNSEEN.sub("", word))).translate(_COMPATIBLE)
    word = unicodedata.normalize("NFC", _few_marks(word) if len(word) > MOST_MARKS else word)
    if _PILED_MARKS.search(word):
        word = unicodedata.normalize("NFC", _ANY_MARK.sub("", unicodedata.normalize("NFD", word)))
    return unicodedata.normalize("NFC", _LETTERS.sub(_mixed, word))


def _mixed(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii() or not any(letter.isascii() or letter in _FORMS for letter in word):
        return word
    read = word.translate(_LATIN_OF)
    return read if all(_is_latin(letter) for letter in read) else word


def _is_latin(letter: str) -> bool:
    return letter < "\u0250" or "\u1e00" <= letter < "\u1f00"


def _is_latin_word(text: str) -> bool:
    return all(letter.isascii() and letter.isalnum() for letter in text)


def _boxed(code: int) -> str | None:
    """Letters in brackets, discs and boxes that Unicode does not call forms of letters."""
    for first in (0x249C, 0x1F110, 0x1F130, 0x1F150, 0x1F170):
        if first <= code < first + 26:
            return chr(ord("a") + code - first)
    return None
