"""The two readings of a text: letters as they look, and what is hidden; harmless texts stay as they are."""

from __future__ import annotations

import base64
import codecs
import random
import time
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safety_assets.benchmark.packaged_texts import packaged_texts
from safety_assets.scoring.views import plain_view, unmasked_view

SENTENCE = "they said that the gate will open when all of you are standing in the yard"
LARGE = 1_000_000
# Alone on a core it is under one; machines are shared.
MOST_SECONDS = 12.0

# Everything that any rule looks at, so that rules meet each other.
FRAGMENTS = st.sampled_from(
    [
        "a", "b", "e", "l", "0", "1", "4", "@", "!", "|", "$", ".", "-", "_", "/", "=", "&", "#", ";", "%", "\\x", "\\u", "&#107;",
        "&amp;#x6b;", "%6b", "%256b", "\u200b", "\u200d", "\u00ad", "\u0301", "\u0316", "\u0338", "\u034f", "а", "е", "р", "ж", "α",
        "ω", "ո", "ᴋ", "ɪ", "ｋ", "𝐤", "ⓚ", "🅺", "℃", "™", "é", "क", "्", "あ", "漢", "👩", "\ufe0f", "\ud800", "\U000e006b",
        "\U000e0001", " ", "  ", "\n", "\t", "\u00a0", "\u2028", "the ", "gur ", "eht ", "naq ", "k i l l", "k1ll", "h0w",
        "a2lsbCB0aGVtIGFsbCBub3c=", "6b696c6c207468656d20616c6c", "01101011",
    ]
)  # fmt: skip
HOSTILE = st.lists(FRAGMENTS, max_size=60).map("".join)

OTHER_LANGUAGES = [
    "Привет, как дела? Сегодня утром мы ели кашу, а потом ходили в парк.",
    "Καλημέρα σας, τι κάνετε σήμερα; Ο καιρός είναι καλός.",
    "这是一个测试，你好！今天下雨。",
    "今日はとても良い天気ですね。カメラを買いました。",
    "안녕하세요, 오늘 날씨가 좋습니다.",
    "مرحبا بالعالم، كيف حالك اليوم؟",
    "نمی‌خواهم بروم",
    "שָׁלוֹם לְכֻלָּם",
    "क्‍ष हिन्दी में लिखा हुआ",
    "ภาษาไทยเขียนติดกัน",
    "Le garçon naïf a mangé des crêpes à Noël, où ça ?",
    "Größe, Übermut und Straße sind schöne Wörter.",
    "Tiếng Việt rất đẹp, phở, cơm và sữa tươi cũng ngon.",
    "Zażółć gęślą jaźń, łódź płynie; řeřicha; ısı kılıç; Þórður; sjømann; știință, brânză.",
    "“Quoted” – and so on… it’s 20 °C, ½ cup, x² m³, 5 € ™ © §",
    "👩‍👩‍👧‍👦 ❤️ 🇩🇪 👍🏽 ✅",
]
HARMLESS = [
    "Price $1,200.50 at 10:30am on 12/05/2021, call +1 (555) 010-7788 before 5pm.",
    "See https://example.com/a1b2c3?q=foo%20bar&x=1 or write to me1a@home4all.com about it.",
    "SKU WH-1000XM4, an MP3, a PS4, 4x4, i5-8400, COVID-19, H1N1, B12, the 1st, 2nd, 3rd and 80s.",
    "U.S.A. and F.B.I., e.g. J.R.R. Tolkien at 8 p.m., i.e. late; A B C and Q & A.",
    "H2SO4 + 2NaOH gives Na2SO4 + 2H2O; C6H12O6; CO2 and O3.",
    "int main() { for (i = 0; i < n; i++) { total += p->x[i] & 0x1f; } return a || b; }",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, md5 d41d8cd98f00b204e9800998ecf8427e",
    "Fish &amp; chips &nbsp;&copy; 100% sure, 50%25 off, C:\\users\\new_file.txt, snake_case_name, state-of-the-art",
    "/usr/local/lib/python/site-packages/somepackage/internal and SomeVeryLongCamelCaseClassName.methodName",
    "2 4 8 16 32 64, 10110 and 0101; 192.168.0.1; version 1.10.4-beta2; 3D, 4K, 5G, 10k, 7up",
]


def masked(text: str, mask: str) -> str:
    encoded = base64.b64encode(text.encode()).decode()
    return {
        "base64": encoded,
        "base64 in lines": "Note\n" + "\n".join(encoded[at : at + 20] for at in range(0, len(encoded), 20)) + "\nEnd",
        "base64 of the web": base64.urlsafe_b64encode(f"{text} ~~~ ???>".encode()).decode(),
        "base64 three times": base64.b64encode(base64.b64encode(encoded.encode())).decode(),
        "hexadecimal": text.encode().hex(),
        "spaced hexadecimal": text.encode().hex(" "),
        "escapes": "".join(f"\\x{byte:02x}" for byte in text.encode()),
        "binary": " ".join(f"{byte:08b}" for byte in text.encode()),
        "percent": "".join(f"%{byte:02X}" for byte in text.encode()),
        "percent spaces": quote(text),
        "references": "".join(f"&#{ord(letter)};" for letter in text),
        "escaped references": "".join(f"&amp;#x{ord(letter):x};" for letter in text),
        "rot13": codecs.encode(text, "rot13"),
        "mirrored": text[::-1],
        "letters apart": "   ".join(" ".join(word) for word in text.split()),
        "letters apart, hard spaces": "   ".join("\u00a0".join(word) for word in text.split()),
        "dots": " ".join(".".join(word) for word in text.split()),
        "stars": " ".join("*".join(word) for word in text.split()),
        "leet": text.translate(str.maketrans("aeiost", "431057")),
        "base64 of leet": base64.b64encode(text.translate(str.maketrans("aeio", "4310")).encode()).decode(),
    }[mask]  # fmt: skip


MASKS = [
    "base64", "base64 in lines", "base64 of the web", "base64 three times", "hexadecimal", "spaced hexadecimal", "escapes", "binary",
    "percent", "percent spaces", "references", "escaped references", "rot13", "mirrored", "letters apart",
    "letters apart, hard spaces", "dots", "stars", "leet", "base64 of leet",
]  # fmt: skip


def test_a_few_words_backwards_do_not_turn_a_line_that_can_be_read():
    line = f"{SENTENCE} eht dna uoy . . . . . . . ."
    assert unmasked_view(line) == line


@pytest.mark.parametrize("below", ["Regards\nJohn Smith", "yours\ntruly\nJohn\nSmith"])
def test_words_right_below_encoded_lines_do_not_hide_them(below):
    encoded = base64.b64encode((SENTENCE * 6).encode()).decode().rstrip("=")
    lines = "\n".join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    read = unmasked_view(f"{lines}\n{below}")
    assert "".join(SENTENCE.split()) * 6 in "".join(read.split())
    assert all(word in read for word in below.split())


@pytest.mark.parametrize("blank", ["\u2800", "\u3164", "\uffa0", "\u1160"])
def test_blanks_that_are_no_spaces_to_unicode_are_spaces(blank):
    assert plain_view(SENTENCE.replace(" ", blank)).split() == SENTENCE.split()


@pytest.mark.parametrize("mask", MASKS)
def test_a_masked_sentence_is_read(mask):
    hidden = masked(SENTENCE, mask)
    assert plain_view(hidden).split() != SENTENCE.split()
    words = unmasked_view(hidden).split()
    assert sum(word in words for word in SENTENCE.split()) >= 0.9 * len(SENTENCE.split())


@pytest.mark.parametrize(
    ("looks", "reads"),
    [
        ("ｋｉｌｌ ｔｈｅｍ", "kill them"),
        ("𝐤𝐢𝐥𝐥 𝓽𝓱𝓮𝓶 𝕒𝕝𝕝", "kill them all"),
        ("ⓚⓘⓛⓛ 🅺🅸🅻🅻 ⒦⒤⒧⒧", "kill kill kill"),
        ("ᴋɪʟʟ ᴛʜᴇᴍ", "kill them"),
        ("kіll thеm", "kill them"),
        ("κill ըhem τhem", "kill ըhem them"),
        ("k\u200bi\u200dl\u2060l t\u00adh\ufeffe\ufe0fm", "kill them"),
        ("k\u0301\u0316i\u0335l\u0301\u0301\u0301l", "kill"),
        ("".join(chr(0xE0000 + ord(letter)) for letter in "kill them"), "kill them"),
    ],
)
def test_letters_are_read_as_they_look(looks, reads):
    assert plain_view(looks) == reads


def test_words_all_of_look_alikes_are_read_only_in_latin_text():
    beside_english = "We went to the сосоа shop in the town and had some раре."
    assert plain_view(beside_english) == beside_english
    assert unmasked_view(beside_english) == "We went to the cocoa shop in the town and had some pape."
    russian = "Мы пошли в магазин, там росла роза, рос сор, сосна и хор пел."
    assert unmasked_view(russian) == russian


@pytest.mark.parametrize("text", OTHER_LANGUAGES)
def test_other_languages_stay_as_they_are(text):
    assert plain_view(text) == text
    assert unmasked_view(text) == text


def test_letters_with_marks_set_apart_are_put_together_not_lost():
    assert plain_view("cafe\u0301 phở") == "café phở"


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_writing_stays_as_it_is(text):
    assert plain_view(text) == text
    assert unmasked_view(text) == text


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_plain(text):
    assert plain_view(text) is text


@settings(max_examples=300, deadline=None)
@given(st.one_of(HOSTILE, st.text(st.characters(categories=None), max_size=80)))
@example("а\u0301" + "\u0338" * 40)
def test_a_view_of_a_view_is_the_same(text):
    plain = plain_view(text)
    assert plain_view(plain) == plain
    unmasked = unmasked_view(text)
    assert unmasked == unmasked_view(plain)
    assert plain_view(unmasked) == unmasked
    assert unmasked_view(unmasked) == unmasked


@settings(deadline=None)
@given(HOSTILE, st.sampled_from([" ", "\n", "\u00a0"]), HOSTILE)
def test_words_are_read_one_by_one(left, space, right):
    assert plain_view(left + space + right) == plain_view(left) + space + plain_view(right)


def test_few_harmless_documents_hide_anything():
    texts = [text.text for text in packaged_texts() if text.collection == "documents"]
    hiding = [text for text in texts if unmasked_view(text).split() != plain_view(text).split()]
    assert len(texts) > 200
    assert len(hiding) <= 0.05 * len(texts)


@pytest.mark.parametrize(
    "piece",
    [
        "a", " ", "a ", "a_", "a.", "QUJD", "k1ll ", "a1", "&", "&amp;", "&#", "&#107;", "%41", "25%", "=", "\\x6b", "6b ", "01101011",
        "A" * 20 + "\n", "A" * 20 + " " * 400, "6b " * 11 + "zz ", "gur naq lbh ", "eht dna uoy ", "a\u0301\u0316", "a\u200b", "\u200d",
        "\u0316\u0301", "а", "aа", "аса ", "a\ud800 ", "\ud800", "𝐤𝐢𝐥𝐥 ", "👩\u200d👧 ", "क्‍ष ", "漢，", "\U000e0041",
        "".join(map(chr, range(0x300, 0x370))), "\u1100\u1161\u11a8",
    ],
)  # fmt: skip
def test_a_large_hostile_text_takes_no_longer_than_its_length(piece):
    text = piece * (LARGE // len(piece) // 4)
    started = time.perf_counter()
    unmasked_view(text)
    assert time.perf_counter() - started < MOST_SECONDS / 4


def test_pairs_that_need_each_other_read_first_take_no_longer():
    text = "b" + "\ua4ee\u200d" * (LARGE // 10)
    started = time.perf_counter()
    assert plain_view(text) == "b" + "A" * (LARGE // 10)
    assert time.perf_counter() - started < MOST_SECONDS / 4


def test_deep_nesting_ends():
    text = SENTENCE
    while len(text) < LARGE // 4:
        text = base64.b64encode(text.encode()).decode()
    assert unmasked_view(text).split() == SENTENCE.split()
    deep = "&" + "amp;" * 100 + "#107;" + "%" + "25" * 1_000 + "6b"
    assert unmasked_view(deep).startswith("k")


def test_escaped_lines_are_lines():
    lines = f"{SENTENCE}\n\t{SENTENCE}"
    assert unmasked_view(quote(lines)) == lines


def test_random_bytes_in_base64_are_no_text():
    picture = base64.b64encode(random.Random(5).randbytes(3_000)).decode()
    assert unmasked_view(f"before {picture} after") == f"before {picture} after"
