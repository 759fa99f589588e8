"""Pages: complete, self-contained, safe against hostile names, and written whole or not at all."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety_assets.report_cards import render
from safety_assets.report_cards.audits import not_audited
from safety_assets.report_cards.card import (
    Disposition,
    Gate,
    InputTable,
    Model,
    Override,
    Tally,
    precision_of,
    report_card,
    scorer_states,
    slice_of,
)
from safety_assets.report_cards.errors import CardError
from safety_assets.report_cards.records import from_json
from safety_assets.report_cards.render import (
    index_html,
    summary_markdown,
    to_html,
    to_markdown,
    write_card,
    write_index,
)
from tests.report_cards.examples import example_audit, example_card, ngram_counts

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>|`*_[a](javascript:alert(1))\n\n# x'
EMPTY = report_card(dataset="empty", title="Empty", description="", project_version="0", slices=[])


def hostile_card(text: str = HOSTILE):
    """A card whose every word comes from an enemy."""
    part = slice_of(text, score_counts=[1, 1, 0, 0, 0, 0], ngrams=ngram_counts(2, 1_000, [1] * 14))
    return example_card(
        dataset=text,
        title=text,
        description=text,
        project_version=text,
        token_unit=text,
        slices=[part],
        inputs=[InputTable(text, 1, 1, 1, text)],
        states=[scorer_states(text, {"scored": 2})],
        dispositions=[Disposition("held_back", text, 2)],
        rejections=[Tally(text, 1)],
        precision=precision_of(1, 2, text),
        models=[Model(text, text, text, text)],
        gates=[Gate(text, 0, 1)],
        overrides=[Override(text, text)],
        notes=[text],
        audit=replace(example_audit(), scorer=text, judge=text, judge_version=text),
    )


class Tags(HTMLParser):
    """Collects tags, attributes and unclosed elements of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


UNAUDITED = example_card(audit=not_audited(HOSTILE))


@pytest.mark.parametrize(
    "page", [to_html(example_card()), to_html(EMPTY), to_html(hostile_card()), to_html(UNAUDITED)]
)
def test_a_page_is_well_formed_and_asks_for_nothing(page):
    tags = Tags(page)
    assert tags.open == []
    assert not tags.tags & {"script", "img", "link", "iframe", "object", "form"}
    assert tags.links == []
    assert len(tags.ids) == len(set(tags.ids))
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://", page)


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=80))
def test_hostile_words_are_shown_and_never_become_markup(text):
    for page in (to_html(hostile_card(HOSTILE + text)), index_html([hostile_card(HOSTILE + text)], [text])):
        tags = Tags(page)
        assert not tags.tags & {"script", "img"}
        assert not {name for name in tags.attributes if name.startswith("on")}
        assert not [link for link in tags.links if link.lower().startswith("javascript")]
    for markdown in (
        to_markdown(hostile_card(HOSTILE + text)),
        summary_markdown(hostile_card(HOSTILE + text)),
    ):
        assert not re.search(r"<\s*[a-z!/]", markdown, re.IGNORECASE)
        assert not re.search(r"(?<!\\)\[a", markdown)


def test_markdown_values_stay_in_their_cells():
    for row in to_markdown(hostile_card()).splitlines():
        if row.startswith("|") and "alert" in row:
            assert row.endswith(" |")
            assert r"\|" in row


def test_markdown_tables_have_as_many_cells_in_every_row():
    for card in (example_card(), EMPTY, hostile_card(), UNAUDITED):
        for block in re.findall(r"(?:^\|.*\n)+", to_markdown(card), re.MULTILINE):
            rows = block.splitlines()
            assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1, block
            assert set(rows[1]) <= set("|-: ")


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=400), st.integers(0, 30))
def test_the_summary_fits_into_the_ui(text, failures):
    card = hostile_card(text + "|" * 300)
    gates = tuple(Gate(f"{text}{number}" * 9, 0, 1) for number in range(failures))
    many = example_card(title=text, gates=gates, overrides=[Override("_" * 300, "x")] * 30)
    assert max(len(summary_markdown(card)), len(summary_markdown(many))) < 950


def test_the_summary_says_what_matters():
    summary = summary_markdown(example_card())
    for fact in (
        "97,533 documents",
        "83.4",
        "1 gate(s) overridden",
        "2 passed, 1 failed",
        "Specialized advice 15.5",
    ):
        assert fact in summary


def test_no_rows_are_said_to_be_no_documents():
    for shown in (to_html(EMPTY), to_markdown(EMPTY), summary_markdown(EMPTY), index_html([EMPTY])):
        assert "no documents" in shown.lower()


def test_overrides_and_failures_come_before_the_numbers():
    page = to_html(example_card())
    assert page.index("1 gate overridden") < page.index("1 of 3 checks failed") < page.index("<dl")
    assert "1 of 1 checks passed" in to_html(example_card(gates=[Gate("rows_add_up", 3, 0)], overrides=[]))
    assert "1 of 1 checks did not run" in to_html(
        example_card(gates=[Gate("rows_add_up", 0, 0)], overrides=[])
    )
    assert "No check is on record" in to_html(example_card(gates=[], overrides=[]))


def test_a_card_shows_its_models_inputs_and_comparison():
    page = to_html(example_card())
    for fact in (
        "SmolLM2-135M-Instruct",
        "score@0d9b31a2c4f1",
        "40–51",
        "−89",
        "8,420",
        "Not confirmed",
        "171 of 206",
    ):
        assert fact in page


def test_a_card_tells_what_an_audit_found_of_every_level_and_who_judged():
    facts = (
        "Audit of the scores",
        "85.0",
        "64.0–94.8",
        "head@4f2a",
        "0d9b31a2c4f1",
        "77",
        "96,870",
        "not known",
    )
    for shown in (to_html(example_card()), to_markdown(example_card())):
        for fact in (*facts, "100 of 120 sampled documents", "12 shards"):
            assert fact in shown
        assert "labels.jsonl" in shown
        assert "ot audited" not in shown
    assert "Audited precision of 4–5: 85.0" in summary_markdown(example_card(overrides=[], gates=[]))


def test_scores_that_nobody_audited_are_said_to_be_so():
    for shown in (to_html(UNAUDITED), to_markdown(UNAUDITED)):
        section = shown[shown.index("Audit of the scores") :]
        assert "Not audited" in section[:300]
        assert "alert" in section
        assert "<img" not in shown
    assert "Precision of 4–5: not audited" in summary_markdown(
        example_card(audit=not_audited("head@2"), overrides=[], gates=[])
    )


def test_a_card_without_scores_to_audit_has_no_such_section():
    for shown in (to_html(EMPTY), to_markdown(EMPTY), summary_markdown(EMPTY)):
        assert "udit" not in shown


def test_a_card_is_written_in_three_forms(tmp_path):
    paths = write_card(example_card(), tmp_path / "cards")
    assert {kind: path.name for kind, path in paths.items()} == {
        "json": "scored_fineweb.json",
        "markdown": "scored_fineweb.md",
        "html": "scored_fineweb.html",
    }
    assert from_json(paths["json"].read_text("utf-8")) == example_card()
    assert paths["html"].read_text("utf-8") == to_html(example_card())
    assert sorted(path.name for path in (tmp_path / "cards").iterdir()) == sorted(
        path.name for path in paths.values()
    )


def test_a_card_that_does_not_fit_its_schema_leaves_the_old_files(tmp_path):
    write_card(example_card(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for wrong in ({"dataset": "../escape"}, {"title": ""}):
        with pytest.raises(CardError):
            write_card(example_card(**wrong), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_write_that_fails_leaves_no_half_file(tmp_path, monkeypatch):
    paths = write_card(example_card(), tmp_path)
    old = paths["json"].read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_card(example_card(title="New"), tmp_path)
    assert paths["json"].read_bytes() == old
    assert len(list(tmp_path.iterdir())) == 3


def test_the_index_sets_all_cards_of_a_folder_side_by_side(tmp_path):
    write_card(example_card(), tmp_path)
    write_card(EMPTY, tmp_path)
    (tmp_path / "broken.json").write_text('{"dataset": "<b>"}')
    page = write_index(tmp_path).read_text("utf-8")
    assert Tags(page).links == ["empty.html", "scored_fineweb.html"]
    assert "broken.json" in page
    assert "1 overridden" in page
    assert "Sexual content" in page


def test_an_index_over_nothing_says_so(tmp_path):
    assert "No report card yet" in write_index(tmp_path / "new").read_text("utf-8")


def test_cards_written_at_the_same_time_are_all_in_the_index(tmp_path):
    def write(number: int) -> None:
        write_card(example_card(dataset=f"set-{number}"), tmp_path)
        write_index(tmp_path)

    threads = [Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = (tmp_path / "index.html").read_text("utf-8")
    assert Tags(page).links == [f"set-{number}.html" for number in range(6)]
    assert render.from_json((tmp_path / "set-3.json").read_text("utf-8")).dataset == "set-3"
