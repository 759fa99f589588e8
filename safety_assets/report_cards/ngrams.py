"""How often topical phrases of 14 harm categories occur in a corpus (SP section 3.5 (ii), appendix D).

Texts and queries are folded the same way into words between single spaces. A query matches whole words only,
within one document, and every occurrence counts, overlapping ones too. infini-gram counts in a suffix array;
an exact scan counts what is not worth indexing or would be slow to index, and everything where infini-gram
cannot be relied on. Both give the same numbers. Rates and intervals are made in ``card.py``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from safety_assets.harms import HARM_CATEGORIES
from safety_assets.report_cards.errors import IndexBuildError, QueryError
from safety_assets.report_cards.suffix_index import (
    IndexText,
    build_index,
    can_index,
    count_patterns,
    verify_index,
)

__all__ = ["PACKAGED_QUERIES", "NgramCounts", "QueryCount", "count_ngrams", "load_queries", "normalise"]

PACKAGED_QUERIES = Path(__file__).parent / "queries"
LONGEST_QUERY_WORDS = 6
# Sorting two suffixes takes as long as their common beginning, so the time grows with the square of a
# repeated passage: two copies of a 330 kB text took 11 s, two different texts 0.2 s. Longer documents are
# scanned.
LONGEST_INDEXED_BYTES = 16_384
# One bit for each digest, 8 MiB. Two documents that share a bit cost one needless scan, never a wrong count.
_REPEAT_BITS = 1 << 26

_WORD = re.compile(r"[^\W_]+")
# Soft hyphens, zero-width characters, bidirectional marks and stray combining marks split words unseen.
_UNSEEN = re.compile("[\u00ad\u0300-\u036f\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


@dataclass(frozen=True)
class QueryCount:
    """Occurrences of one query."""

    category: str
    query: str
    count: int


@dataclass(frozen=True)
class NgramCounts:
    """Occurrences of all queries in one corpus.

    ``words`` counts the folded words of all documents, repeated documents included: the denominator of a rate
    where
    no tokenizer's count is at hand. ``indexed_documents`` went through the suffix array; the others were
    scanned.
    """

    method: Literal["infini-gram", "scan"]
    documents: int
    indexed_documents: int
    words: int
    queries: tuple[QueryCount, ...]

    def by_category(self) -> dict[str, int]:
        """Category to the sum over its queries, in the order of the queries."""
        totals: dict[str, int] = {}
        for row in self.queries:
            totals[row.category] = totals.get(row.category, 0) + row.count
        return totals

    def by_query(self) -> dict[str, dict[str, int]]:
        """Category to query to count."""
        counts: dict[str, dict[str, int]] = {}
        for row in self.queries:
            counts.setdefault(row.category, {})[row.query] = row.count
        return counts


def normalise(text: str) -> str:
    """Fold a text into case-folded words of letters and digits (NFKC), one space before, between and after.

    Punctuation, underscores and white space all become single spaces; invisible characters vanish. With a
    space on either side of a query, 'bomb' does not occur in 'bombastic'. A text without a word becomes ''.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold()))
    words = _WORD.findall(text.casefold())
    return f" {' '.join(words)} " if words else ""


def load_queries(folder: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Read query lists: one ``<category>.txt`` each, one query a line, lines that begin with '#' are
    comments.

    Args:
        folder: a folder of one's own; the packaged lists when not given.

    Returns:
        Category to its folded queries, known categories first in the order of the paper.

    Raises:
        QueryError: no such folder, no list in it, an unreadable or empty list, or a query that is repeated,
            longer
            than 6 words or without a word.
    """
    folder = PACKAGED_QUERIES if folder is None else Path(folder)
    if not folder.is_dir():
        raise QueryError(f"{folder} is no folder. Give one with a <category>.txt for each category.")
    rank = {str(category): place for place, category in enumerate(HARM_CATEGORIES)}
    files = sorted(folder.glob("*.txt"), key=lambda file: (rank.get(file.stem, len(rank)), file.stem))
    if not files:
        raise QueryError(f"{folder} holds no query list. Add a <category>.txt for each category.")
    lists = {}
    for file in files:
        try:
            lines = file.read_text("utf-8").splitlines()
        except UnicodeDecodeError as error:
            raise QueryError(f"{file.name} is not UTF-8 at byte {error.start}. Save it as UTF-8.") from error
        lists[file.stem] = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return _checked(lists)


def count_ngrams(
    texts: Iterable[str],
    queries: Mapping[str, Sequence[str]],
    *,
    workdir: Path,
    method: Literal["auto", "infini-gram", "scan"] = "auto",
    cores: int | None = None,
) -> NgramCounts:
    """Count every query in every text. Texts are streamed; memory does not grow with them.

    Documents seen before are scanned instead of indexed, so their repeats count and do not slow the sorting.

    Args:
        texts: one document each, in any order; read once.
        queries: category to phrases of 1 to 6 words, as from :func:`load_queries`.
        workdir: a local folder for the index, about five times the text; created if missing, left as it was.
        method: 'auto' scans what infini-gram cannot be relied on for; the other two insist.
        cores: jobs of the indexing at once; all of the machine's when not given.

    Raises:
        QueryError: see :func:`load_queries`.
        IndexBuildError: the index failed or did not verify, or 'infini-gram' was insisted on where it cannot
            work.
    """
    phrases = _checked(queries)
    scanner = _Scanner({query for group in phrases.values() for query in group})
    repeats = _Repeats()
    documents = indexed = words = 0
    Path(workdir).mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="ngrams-", dir=workdir) as name:
        with IndexText(Path(name)) as index_text:
            for text in texts:
                documents += 1
                folded = normalise(text)
                words += max(0, folded.count(" ") - 1)
                encoded = folded.encode()
                if method == "scan" or not 0 < len(encoded) <= LONGEST_INDEXED_BYTES or repeats.seen(encoded):
                    scanner.add(folded)
                else:
                    index_text.append(encoded)
                    indexed += 1
        used: Literal["infini-gram", "scan"] = "infini-gram" if can_index(index_text) else "scan"
        if method == "infini-gram" and used == "scan":
            raise IndexBuildError(
                f"infini-gram cannot index {index_text.size:,} bytes here: it needs 100,000 bytes and "
                "a path of letters, digits and ./_- without the word 'tokenized'. Use method='auto'."
            )
        if used == "infini-gram":
            _count_indexed(index_text, scanner.counts, cores)
        else:
            indexed = 0
            for document in index_text.documents():
                scanner.add(document.decode())
    rows = (
        QueryCount(category, query, scanner.counts[query])
        for category, group in phrases.items()
        for query in group
    )
    return NgramCounts(used, documents, indexed, words, tuple(rows))


def _count_indexed(index_text: IndexText, counts: Counter[str], cores: int | None) -> None:
    build_index(index_text.folder, cores=cores)
    verify_index(index_text.folder)
    bounded = {query: f" {query} ".encode() for query in counts}
    found = count_patterns(index_text.folder, bounded.values())
    for query, pattern in bounded.items():
        counts[query] += found[pattern]


class _Scanner:
    """Counts phrases word by word: exact, linear in the text, and the oracle of the tests."""

    def __init__(self, queries: Iterable[str]) -> None:
        self.counts: Counter[str] = Counter(dict.fromkeys(sorted(queries), 0))
        self._by_first_word: dict[str, list[tuple[str, list[str]]]] = {}
        for query in self.counts:
            phrase = query.split()
            self._by_first_word.setdefault(phrase[0], []).append((query, phrase))

    def add(self, folded: str) -> None:
        words = folded.split()
        for place, word in enumerate(words):
            for query, phrase in self._by_first_word.get(word, ()):
                if words[place : place + len(phrase)] == phrase:
                    self.counts[query] += 1


class _Repeats:
    """Tells a document seen before, in fixed memory; rarely takes a new one for a repeat."""

    def __init__(self) -> None:
        self._bits = bytearray(_REPEAT_BITS // 8)

    def seen(self, document: bytes) -> bool:
        place = int.from_bytes(blake2b(document, digest_size=8).digest()) % _REPEAT_BITS
        byte, bit = divmod(place, 8)
        before = self._bits[byte] >> bit & 1
        self._bits[byte] |= 1 << bit
        return bool(before)


def _checked(queries: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    if not queries:
        raise QueryError("There is no category to count. Give at least one with one query.")
    checked: dict[str, tuple[str, ...]] = {}
    for category, lines in queries.items():
        folded = [normalise(line).strip() for line in lines]
        if not folded:
            raise QueryError(f"Category {category} has no query. Add one, or leave the category out.")
        for number, (line, query) in enumerate(zip(lines, folded, strict=True), start=1):
            where = f"Query {number} of category {category} ({line.strip()!r})"
            if not query:
                raise QueryError(f"{where} has no word. Queries are matched on letters and digits only.")
            if len(query.split()) > LONGEST_QUERY_WORDS:
                raise QueryError(f"{where} has more than {LONGEST_QUERY_WORDS} words. Shorten it.")
            if query in folded[: number - 1]:
                raise QueryError(f"{where} stands in the list twice once folded. Keep one of them.")
        checked[category] = tuple(folded)
    return checked
