"""``classifier_benchmark`` through Dagster: over a lake with a classifier, into its table, page and metadata."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from resources.lake import UNPARTITIONED, GateOutcome, Provenance
from resources.lake_resource import LakeResource
from resources.model_resources import ModelsResource
from safety_assets.annotation.seeds import seed_rows
from safety_assets.batches import record_batches
from safety_assets.benchmark.assets import classifier_benchmark
from safety_assets.scoring.packaged import packaged_classifier

BY = Provenance("safety_classifier", UNPARTITIONED, "test-run")


@pytest.fixture
def home(tmp_path, monkeypatch, packaged_models) -> Path:
    """A home with a lake of its own and the packaged models."""
    models = packaged_models["all-MiniLM-L6-v2"].folder.parent
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(models, target_is_directory=True)
    monkeypatch.setenv("SAFETY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def resource(home, packaged_models) -> LakeResource:
    """A lake with the seeds as annotations and the packaged classifier as the newest."""
    resource = LakeResource(catalog=f"sqlite:{home}/lake.sqlite", data_path=f"{home}/data")
    lake, encoder = resource.open(), packaged_models["all-MiniLM-L6-v2"]
    annotations = record_batches(seed_rows(), lake.schema("safety_annotations"))
    learned = lake.replace_partition("safety_annotations", annotations, BY)
    known = {
        "shard": UNPARTITIONED,
        "version": packaged_classifier().version,
        "encoder": encoder.name,
        "encoder_revision": encoder.revision,
        "head": packaged_classifier().to_bytes(),
        "llm_thresholds": "{}",
        "annotations_snapshot_id": learned.snapshot_id,
    }
    schema = lake.schema("safety_classifier")
    row = {field.name: known.get(field.name, _nothing(field.type)) for field in schema}
    batch = pa.RecordBatch.from_pylist([row], schema=schema)
    version = lake.replace_partition("safety_classifier", [batch], BY)
    lake.record_gates(version, [GateOutcome("better_than_chance", True, True, {})], BY)
    yield resource
    lake.close()


def _nothing(kind: pa.DataType):
    if pa.types.is_integer(kind):
        return 0
    return b"" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else "{}"


def labelled_file(path: Path) -> str:
    """Harmful, harmless and annotated texts; the annotated ones must not be measured."""
    seeds = [row for row in seed_rows() if row["split"] == "test"][:70]
    learned = [row for row in seed_rows() if row["split"] == "train"][:30]
    rows = [{"text": row["text"], "score": row["score"]} for row in [*seeds, *learned]]
    path.write_text("\n".join(map(json.dumps, rows)))
    return str(path)


def test_the_asset_writes_its_table_page_and_numbers_without_a_text(home, resource, tmp_path):
    file = labelled_file(tmp_path / "mine.jsonl")
    config = {"files": [file], "scorers": ["embedding", "word-list"], "attacked_texts": 1}
    result = dg.materialize(
        [classifier_benchmark],
        resources={"lake": resource, "models": ModelsResource(profile_name="embedded")},
        run_config={"ops": {"classifier_benchmark": {"config": config}}},
    )
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    [materialization] = result.asset_materializations_for_node("classifier_benchmark")
    facts = {name: value.value for name, value in materialization.metadata.items()}
    assert facts["texts"] == 70, "what trained the classifier is left out"
    assert facts["auroc_embedding"] > facts["auroc_word_list"]
    assert facts["peak_memory_mb_embedding"] > facts["peak_memory_mb_word_list"]
    page = Path(facts["page"]).read_text()
    assert Path(facts["page"]) == home / "benchmark" / "index.html"
    with resource.open().read("classifier_benchmark") as reader:
        rows = [row for batch in reader for row in batch.to_pylist()]
    assert len(rows) == facts["dagster/partition_row_count"]
    assert {row["scorer"] for row in rows} == {"embedding", "word-list"}
    assert {row["slice_kind"] for row in rows} == {"all", "collection", "source", "length", "attack"}
    told = page + json.dumps(rows) + json.dumps({name: str(value) for name, value in facts.items()})
    texts = [json.loads(line)["text"] for line in Path(file).read_text().splitlines()]
    assert not [text for text in texts if text[:60] in told]


def test_what_the_classifier_learned_is_left_out_though_the_annotations_are_others_now(
    home, resource, tmp_path
):
    lake = resource.open()
    seeds = [row for row in seed_rows() if row["split"] == "test"]
    own = [row | {"annotation_id": f"a{number}", "split": "train"} for number, row in enumerate(seeds[:20])]
    schema = lake.schema("safety_annotations")
    learned = lake.replace_partition("safety_annotations", record_batches(own, schema), BY)
    with lake.read("safety_classifier") as reader:
        [row] = reader.read_all().to_pylist()
    batch = pa.RecordBatch.from_pylist(
        [row | {"annotations_snapshot_id": learned.snapshot_id}], schema=lake.schema("safety_classifier")
    )
    version = lake.replace_partition("safety_classifier", [batch], BY)
    lake.record_gates(version, [GateOutcome("better_than_chance", True, True, {})], BY)
    lake.replace_partition("safety_annotations", record_batches(seed_rows(), schema), BY)
    file = tmp_path / "mine.jsonl"
    file.write_text("\n".join(json.dumps({"text": row["text"], "score": row["score"]}) for row in seeds[:50]))
    config = {"files": [str(file)], "scorers": ["word-list"], "attacked_texts": 0}
    result = dg.materialize(
        [classifier_benchmark],
        resources={"lake": resource, "models": ModelsResource(profile_name="embedded")},
        run_config={"ops": {"classifier_benchmark": {"config": config}}},
    )
    [made] = result.asset_materializations_for_node("classifier_benchmark")
    assert made.metadata["texts"].value == 30


def test_a_classifier_that_failed_its_gate_is_not_compared(resource):
    lake = resource.open()
    [version] = lake.versions("safety_classifier")
    lake.record_gates(version, [GateOutcome("better_than_chance", False, True, {})], BY)
    result = dg.materialize(
        [classifier_benchmark],
        resources={"lake": resource, "models": ModelsResource(profile_name="embedded")},
        run_config={"ops": {"classifier_benchmark": {"config": {"scorers": ["word-list"]}}}},
        raise_on_error=False,
    )
    assert not result.success
