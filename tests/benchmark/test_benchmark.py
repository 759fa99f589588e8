"""Labelled texts are read and chosen fairly; a comparison adds up, tells no text, and says how it was measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from safety_assets.benchmark.__main__ import main
from safety_assets.benchmark.checks import benchmark_gates
from safety_assets.benchmark.compare import PLAIN, benchmark_row, compare
from safety_assets.benchmark.errors import BenchmarkError, LabelFileError
from safety_assets.benchmark.labels import LabelledText, chosen, load_rules, read_file, texts_digest
from safety_assets.benchmark.measures import Truth
from safety_assets.benchmark.openers import Opener
from safety_assets.benchmark.packaged_texts import packaged_texts
from safety_assets.benchmark.page import benchmark_html
from safety_assets.benchmark.plan import labelled_texts
from safety_assets.benchmark.report import benchmark_markdown, benchmark_numbers
from safety_assets.benchmark.unseen import unseen
from safety_assets.sample_data.sample import Split, load_seeds
from tests.benchmark.scripted import CONSTANT, PERFECT, Scripted, coin, labelled, level_of, text_of


def jsonl(path: Path, rows: list[dict]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return path


# -- labels -----------------------------------------------------------------------------------------------------------


def test_levels_and_yes_or_no_are_read_from_json_lines_and_parquet_alike(tmp_path):
    rows = [
        {"text": "a", "score": 4, "harmful": None, "source": "forum", "sensitive": None},
        {"text": "b", "score": 0, "harmful": None, "source": "news", "sensitive": True},
        {"text": "c", "score": 2, "harmful": None, "source": "news", "sensitive": True},
        {"text": "d", "score": None, "harmful": True, "source": None, "sensitive": None},
        {"text": "e", "score": None, "harmful": False, "source": None, "sensitive": True},
    ]
    lines = list(read_file(jsonl(tmp_path / "mine.jsonl", rows), load_rules()))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    assert lines == list(read_file(tmp_path / "mine.parquet", load_rules()))
    assert [(text.level, text.harmful, text.sensitive) for text in lines] == [
        (4, True, False),
        (0, False, True),
        (2, None, False),
        (None, True, False),
        (None, False, True),
    ]
    assert [text.source for text in lines] == ["forum", "news", "news", "mine", "mine"]


@pytest.mark.parametrize(
    ("record", "harmful"),
    [
        ({"source": "davidson", "label": "hate"}, True),
        ({"source": "davidson", "label": "neither"}, False),
        ({"source": "davidson", "label": "offensive"}, None),
        ({"source": "edos", "label": "none"}, None),
        ({"source": "rtp-2400", "label": "toxic", "severe": 0.9, "toxicity": 0.9}, True),
        ({"source": "rtp-2400", "label": "nontoxic", "severe": 0.0, "toxicity": 0.05}, False),
        ({"source": "rtp-2400", "label": "toxic", "severe": 0.3, "toxicity": 0.7}, None),
        ({"source": "medquad", "expected": "benign"}, False),
        ({"source": "unheard of", "label": "unsafe"}, True),
        ({"source": "unheard of", "label": "harmless"}, False),
        ({"source": "unheard of", "label": "odd"}, None),
    ],
)
def test_known_sources_are_read_by_their_rules(tmp_path, record, harmful):
    rows = [{"text": "a text", **record}, {"text": "another", "score": 0, "source": "x"}]
    found = list(read_file(jsonl(tmp_path / "f.jsonl", rows), load_rules()))
    assert [text.harmful for text in found] == ([False] if harmful is None else [harmful, False])


def test_rules_of_ones_own_come_first(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "davidson:\n  harmless: {label: hate}\nmine:\n  harmful: {class: [1, 2]}\n  sensitive: {}\n"
    )
    rows = [
        {"text": "a", "source": "davidson", "label": "hate"},
        {"text": "b", "source": "mine", "class": 2},
        {"text": "c", "source": "mine", "class": 3},
    ]
    found = list(read_file(jsonl(tmp_path / "f.jsonl", rows), load_rules(path)))
    assert [(text.text, text.harmful, text.sensitive) for text in found] == [
        ("a", False, False),
        ("b", True, False),
    ]


@pytest.mark.parametrize(
    "rules", ["", "- a", "mine: 3", "mine: {harmful: yes}", "mine: {harmfull: {}}", "a: [: "]
)
def test_rules_that_are_none_are_refused(tmp_path, rules):
    path = tmp_path / "own.yaml"
    path.write_text(rules)
    with pytest.raises(LabelFileError, match=r"own\.yaml"):
        load_rules(path)


@pytest.mark.parametrize(
    "row",
    [
        {"text": "SECRET WORDS", "score": 6},
        {"text": "SECRET WORDS", "score": True},
        {"text": "SECRET WORDS", "score": "3"},
        {"text": ["SECRET WORDS"], "score": 3},
        {"text": "SECRET WORDS", "harmful": "maybe"},
        {"score": 3},
    ],
)
def test_a_label_that_is_none_is_named_by_row_and_its_text_is_not_told(tmp_path, row):
    path = jsonl(tmp_path / "f.jsonl", [{"text": "a", "score": 0}, row])
    with pytest.raises(LabelFileError, match=r"Row 2 of f\.jsonl") as raised:
        list(read_file(path, load_rules()))
    assert "SECRET" not in str(raised.value) and raised.value.__cause__ is None


def test_missing_broken_and_unlabelled_files_are_refused(tmp_path):
    with pytest.raises(LabelFileError, match="no file"):
        list(read_file(tmp_path / "none.jsonl", load_rules()))
    (tmp_path / "f.jsonl").write_text('{"text": "SECRET')
    with pytest.raises(LabelFileError, match="Line 1") as raised:
        list(read_file(tmp_path / "f.jsonl", load_rules()))
    assert "SECRET" not in str(raised.value)
    (tmp_path / "f.parquet").write_text("no parquet")
    with pytest.raises(LabelFileError, match="Parquet"):
        list(read_file(tmp_path / "f.parquet", load_rules()))
    with pytest.raises(LabelFileError, match="No row"):
        list(
            read_file(
                jsonl(tmp_path / "g.jsonl", [{"text": "a", "source": "edos", "label": "none"}]), load_rules()
            )
        )


def made(text: str, collection: str = "first", level: int | None = 0, source: str = "s") -> LabelledText:
    return LabelledText(text, collection, source, level, False)


def test_a_text_is_measured_once_under_the_first_label():
    opening = "The same long beginning of a page about a garden, word for word. " * 4
    texts = [made(opening + "one"), made(opening + "one"), made(opening + "two"), made("other")]
    again = [made(opening + "three", "second"), made("OTHER!", "second"), made("new", "second"), made("  ")]
    found = chosen(texts + again)
    assert sorted(text.text for text in found) == sorted([opening + "one", opening + "two", "other", "new"])


def test_near_duplicates_share_a_fold():
    opening = "The same long beginning of a page about a garden, word for word. " * 4
    texts = [made(opening + str(number)) for number in range(20)] + [
        made(str(number)) for number in range(50)
    ]
    folds = Truth.of(texts, 5).folds
    assert len(set(folds[:20].tolist())) == 1
    assert len(set(folds[20:].tolist())) == 5


def test_the_choice_of_texts_does_not_depend_on_their_order():
    texts = labelled(200)
    assert chosen(texts, 30) == chosen(reversed(texts), 30)
    assert texts_digest(chosen(texts, 30)) == texts_digest(chosen(reversed(texts), 30)) != texts_digest(texts)
    assert len(chosen(texts, 30)) == 30


def test_nothing_that_was_learned_from_is_measured():
    seeds = load_seeds()
    texts = [made(seed.text, level=seed.score) for seed in seeds]
    left = {text.text for text in unseen(texts)}
    assert left == {seed.text for seed in seeds if seed.split is Split.TEST}
    own = [made("mine"), made("yours")]
    assert [text.text for text in unseen(own, {own[0].key})] == ["yours"]


def test_of_a_training_source_only_what_is_held_back_is_measured():
    texts = [made(f"post number {number}", level=None, source="davidson") for number in range(2_000)]
    kept = list(unseen(texts))
    assert 0.12 < len(kept) / len(texts) < 0.18
    assert len(list(unseen([made(text.text, source="davidson") for text in texts]))) == 2_000, (
        "an oracle's labels"
    )
    assert len(list(unseen([made(text.text, level=None) for text in texts]))) == 2_000, "another source"


def test_the_packaged_texts_have_all_levels_and_sensitive_pages():
    texts = labelled_texts()
    assert {text.collection for text in texts} == {"seeds", "documents"}
    assert {text.level for text in texts} == set(range(6))
    assert sum(text.sensitive for text in texts) >= 40
    assert all(text.level == 0 for text in texts if text.sensitive)
    assert len(list(packaged_texts())) >= len(texts)


# -- comparing ---------------------------------------------------------------------------------------------------------

SHOUT = "ATTACKED"


def hides(text: str) -> str:
    """An attack under which :data:`NAIVE` takes every text for safe."""
    return f"{text} {SHOUT}"


NAIVE = Scripted(lambda text: (0, 0.0) if SHOUT in text else (level_of(text), level_of(text) / 5), "naive")


@pytest.fixture(scope="module")
def comparison():
    texts = chosen([*labelled(240, "first"), *labelled_second()])
    scorers = [PERFECT, CONSTANT, coin(), NAIVE]
    return compare(texts, scorers, attacks={"hiding": hides}, attacked_texts=30, isolated=False)


def labelled_second() -> list[LabelledText]:
    """Harmless texts without levels, half of them sensitive, with markup in their source's name."""
    return [
        LabelledText(text_of(number, 0), "<i>second", "a & <script>b", None, False, number % 2 == 0)
        for number in range(1_000, 1_060)
    ]


def test_slices_of_each_kind_add_up_to_all_texts(comparison):
    assert comparison.texts == 300
    for scorer in comparison.scorers:
        for kind in ("all", "collection", "source", "length"):
            rows = [row for row in comparison.of(kind) if row.scorer == scorer]
            assert sum(row.measured.texts for row in rows) == 300, (scorer, kind)
    assert all(outcome.passed for outcome in benchmark_gates(comparison) if outcome.blocking)


def test_a_perfect_scorer_leads_and_a_constant_one_is_told_to_be_at_chance(comparison):
    found = {row.scorer: row.measured for row in comparison.of("all")}
    assert found["perfect"].auroc.value == found["perfect"].macro_f1.value == 1.0
    assert found["constant"].at_chance and found["coin"].at_chance and not found["perfect"].at_chance
    table = benchmark_markdown(comparison)
    assert "constant (at chance)" in table and "perfect (at chance)" not in table


def test_an_attack_is_compared_with_the_same_texts_unattacked(comparison):
    rows = {(row.scorer, row.name): row.measured for row in comparison.of("attack")}
    assert {name for _, name in rows} == {PLAIN, "hiding"}
    assert {(found.texts, found.harmful) for found in rows.values()} == {(60, 30)}
    assert rows["naive", PLAIN].recall_ge3.value == 1.0
    assert rows["naive", "hiding"].recall_ge3.value == rows["naive", "hiding"].recall_at_rate.value == 0.0
    assert rows["perfect", "hiding"].recall_ge3.value == 1.0


def test_a_collection_without_harmful_texts_is_measured_at_the_point_of_all(comparison):
    [row] = [row for row in comparison.of("collection") if row.scorer == "coin" and row.name == "<i>second"]
    assert row.measured.auroc is None and row.measured.recall_ge3 is None
    assert row.measured.false_alarms_at_rate is not None
    assert row.measured.false_alarms_sensitive is not None


def test_every_scorer_is_also_read_at_fitted_levels(comparison):
    own, fitted = ({row.scorer: row for row in comparison.of("all", way)} for way in ("own", "fitted"))
    assert set(own) == set(fitted)
    assert fitted["perfect"].measured.macro_f1.value > 0.9
    for scorer in own:
        assert fitted[scorer].measured.auroc == own[scorer].measured.auroc, "fitting does not rank anew"


def test_a_comparison_repeats_exactly(comparison):
    texts = chosen([*labelled(240, "first"), *labelled_second()])
    again = compare(texts, [PERFECT], attacks={"hiding": hides}, attacked_texts=30, isolated=False)
    first = [(row.kind, row.name, row.measured) for row in comparison.rows if row.scorer == "perfect"]
    assert [(row.kind, row.name, row.measured) for row in again.rows] == first
    assert again.digest == comparison.digest


@pytest.mark.parametrize("wrong", [{"texts": []}, {"openers": []}, {"folds": 1}])
def test_nothing_to_compare_is_an_error(wrong):
    given = {"texts": labelled(12), "openers": [PERFECT], "folds": 5} | wrong
    with pytest.raises(BenchmarkError):
        compare(given["texts"], given["openers"], folds=given["folds"], isolated=False)


def test_rows_fit_the_table_and_no_text_is_in_them(comparison, lake, written_by):
    rows = [benchmark_row(row, comparison, "unpartitioned") for row in comparison.rows]
    batch = pa.RecordBatch.from_pylist(rows, schema=lake.schema("classifier_benchmark"))
    version = lake.replace_partition("classifier_benchmark", [batch], written_by("unpartitioned"))
    assert version.rows == len(rows)
    told = json.dumps(batch.to_pylist())
    assert " of level " not in told and SHOUT not in told
    [best] = [
        row
        for row in batch.to_pylist()
        if (row["scorer"], row["slice"], row["decided"]) == ("perfect", "all", "own")
    ]
    assert best["recall_ge3"]["value"] == 1.0 > best["recall_ge3"]["low"]
    assert [sum(line) for line in best["confusion"]] == [40] * 6


# -- the page and the table ---------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_else_and_escapes_every_name(comparison):
    html = benchmark_html(comparison)
    assert "<script" not in html and "&lt;script&gt;b" in html and "&lt;i&gt;second" in html
    assert not re.search(r"(src|href)=|url\(|@import|https?://", html)
    assert "default-src 'none'" in html
    assert " of level " not in html and SHOUT not in html


def test_the_page_shows_every_scorer_its_confusion_and_its_drop(comparison):
    html = benchmark_html(comparison)
    assert html.count('<svg class="chart"') == 2 * len(comparison.scorers)
    assert "labelled 5, said 5: 40 of 40" in html
    assert "(-100 points)" in html
    assert "not shown to be better than chance" in html
    from html.parser import HTMLParser

    class Balance(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs):
            if tag != "meta":
                self.open.append(tag)

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    reader = Balance()
    reader.feed(html)
    assert not reader.open


def test_the_table_has_a_line_for_each_scorer_and_way_and_numbers_have_stable_names(comparison):
    table = benchmark_markdown(comparison)
    assert table.count("| perfect |") == 2 * 3  # all texts and two collections, own and fitted
    numbers = benchmark_numbers(comparison)
    assert numbers["auroc_perfect"] == 1.0 and numbers["macro_f1_perfect_fitted"] > 0.9
    assert all(isinstance(value, int | float) for value in numbers.values())
    assert " of level " not in table


# -- the command --------------------------------------------------------------------------------------------------------


def test_the_command_compares_files_and_writes_a_page(tmp_path, capsys):
    rows = [{"text": "I will kill you " + str(n), "score": 5} for n in range(12)]
    rows += [{"text": "The garden opens at nine " + str(n), "score": 0} for n in range(30)]
    files = [str(jsonl(tmp_path / "mine.jsonl", rows))]
    page = tmp_path / "pages" / "page.html"
    arguments = [
        "--files",
        *files,
        "--scorers",
        "word-list,profanity",
        "--page",
        str(page),
        "--attacked-texts",
        "3",
    ]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "| word-list |" in out and "| alt-profanity-check |" in out and "42 texts, 12 harmful" in out
    assert "garden" not in out + page.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--scorers", "nonsense"],
        ["--files", "missing.jsonl"],
        ["--scorers", "llama-guard"],
        ["--scorers", "word-list", "--model", "llama-guard"],
        ["--scorers", "embedding", "--head", "missing.npz"],
        ["--scorers", "word-list", "--folds", "1"],
        ["--scorers", "combination"],
    ],
)
def test_the_command_says_in_one_line_what_was_wrong(arguments, capsys):
    assert main(arguments) == 1
    assert re.fullmatch(r"Failed: .+\n", capsys.readouterr().err)


# -- real scorers --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def packaged(packaged_models):
    """The packaged classifier and the word list on some seeds and documents that no scorer learned from."""
    return compare(labelled_texts(most=70), [Opener("embedding"), Opener("word-list")])


def test_the_packaged_classifier_is_far_better_than_words_alone(packaged):
    found = {row.scorer: row.measured for row in packaged.of("all")}
    assert found["embedding"].auroc.low > 0.9
    assert found["embedding"].auroc.low > found["word-list"].auroc.high
    assert found["embedding"].recall_ge3.value > found["word-list"].recall_ge3.value + 0.3
    assert found["embedding"].unscored == 0


def test_the_packaged_classifier_takes_memory_and_time_that_are_told(packaged):
    cost = {row.scorer: row.cost for row in packaged.of("all")}
    assert cost["embedding"].peak_memory_mb > cost["word-list"].peak_memory_mb + 100
    assert cost["embedding"].documents_per_second > 1


def test_the_ensemble_gives_what_the_pipeline_gives(packaged_models):
    """The same maximum as the scorer of shards, over the real classifier and a scripted language model."""
    import numpy as np

    from resources.encoder import open_encoder
    from resources.profile import ScoringProfile, load_profile, safety_home
    from safety_assets.benchmark.scorers import EmbeddingScorer, EnsembleScorer, LanguageModelScorer
    from safety_assets.generation import Usage
    from safety_assets.scoring.llm_scorer import LlmCalibration
    from safety_assets.scoring.packaged import packaged_classifier
    from safety_assets.scoring.reading import DocumentReader
    from safety_assets.scoring.scorer import DocumentScorer
    from tests.support.scripted_model import MemoryAnswers, ScriptedModel

    reader = DocumentReader(
        open_encoder(load_profile("embedded").encoder, safety_home() / "models"), packaged_classifier()
    )
    model, calibration = ScriptedModel(lambda _: ""), LlmCalibration({1: 0.1, 3: 0.4})
    settings = ScoringProfile(explain=False)
    texts = [text.text for text in labelled_texts()[:40]] + ["", "\u200b"]
    ours = EnsembleScorer(EmbeddingScorer(reader), LanguageModelScorer(model, calibration, settings)).score(
        texts
    )
    pipeline = DocumentScorer(
        reader=reader,
        confirmation=None,
        calibration=calibration,
        combination=None,
        model=model,
        store=MemoryAnswers(),
        settings=settings,
        usage=Usage(),
    )
    theirs = [score.score for score in pipeline.score([(str(at), text) for at, text in enumerate(texts)])]
    assert [None if level < 0 else level for level in ours.levels.tolist()] == theirs
    assert np.isnan(ours.harm[40]) and not ours.made[40]
