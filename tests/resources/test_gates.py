"""Gates: who may read what, at which version."""

from __future__ import annotations

import json

import numpy as np
import pytest

from resources.errors import GateError, LakeError
from resources.lake import GateOutcome, Lake, PartitionVersion
from tests.support.lake_writer import TABLE, batches, by

READER = by("a", "a_consumer")


def put(lake: Lake, partition: str = "a", table: str = TABLE) -> PartitionVersion:
    return lake.replace_partition(table, batches(lake.schema(table), partition, 20), by(partition))


def found(check: str = "counts_add_up", passed: bool = True, blocking: bool = True) -> GateOutcome:
    return GateOutcome(check, passed, blocking, {"rows": 20})


def test_a_version_that_passed_may_be_read(any_lake: Lake):
    version = put(any_lake)
    any_lake.record_gates(version, [found(), found("advice", passed=False, blocking=False)], by("a"))
    assert any_lake.require_gates([(TABLE, "a")], provenance=READER) == {TABLE: version}
    assert any_lake.require_gates([], provenance=READER) == {}


def test_every_problem_is_listed_at_once(any_lake: Lake):
    failed = put(any_lake, "failed")
    any_lake.record_gates(failed, [found("one", False), found("two", False), found("three")], by("failed"))
    unchecked = put(any_lake, "unchecked")
    with pytest.raises(GateError) as raised:
        any_lake.require_gates(
            [(TABLE, "failed"), (TABLE, "unchecked"), ("fineweb", "unwritten")], provenance=READER
        )
    message = str(raised.value)
    assert f"{TABLE}[failed] at snapshot {failed.snapshot_id} failed one, two;" in message
    assert f"{TABLE}[unchecked] at snapshot {unchecked.snapshot_id} was never checked;" in message
    assert "fineweb[unwritten] was never written." in message


def test_gates_are_stale_after_a_rewrite(lake: Lake):
    lake.record_gates(put(lake), [found()], by("a"))
    newer = put(lake)
    with pytest.raises(GateError, match="was never checked"):
        lake.require_gates([(TABLE, "a")], provenance=READER)
    lake.record_gates(newer, [found()], by("a"))
    assert lake.require_gates([(TABLE, "a")], provenance=READER) == {TABLE: newer}


def test_outcomes_of_an_old_version_say_nothing_of_the_new_one(lake: Lake):
    old, new = put(lake), put(lake)
    lake.record_gates(new, [found(passed=False)], by("a"))
    lake.record_gates(old, [found(passed=True)], by("a"))
    with pytest.raises(GateError, match="failed counts_add_up"):
        lake.require_gates([(TABLE, "a")], provenance=READER)


def test_the_last_outcome_of_a_check_counts_whatever_the_clock_says(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
):
    mended, broken = put(lake, "mended"), put(lake, "broken")
    lake.record_gates(mended, [found(passed=False)], by("mended"))
    lake.record_gates(broken, [found(passed=True)], by("broken"))
    monkeypatch.setattr("resources.gates.time.time_ns", lambda: 1_000_000)
    lake.record_gates(mended, [found(passed=True)], by("mended"))
    lake.record_gates(broken, [found(passed=False)], by("broken"))
    monkeypatch.undo()
    assert lake.require_gates([(TABLE, "mended")], provenance=READER) == {TABLE: mended}
    with pytest.raises(GateError, match="failed counts_add_up"):
        lake.require_gates([(TABLE, "broken")], provenance=READER)


def test_a_check_that_no_longer_blocks_lets_pass(lake: Lake):
    version = put(lake)
    lake.record_gates(version, [found(passed=False, blocking=True)], by("a"))
    lake.record_gates(version, [found(passed=False, blocking=False)], by("a"))
    assert lake.require_gates([(TABLE, "a")], provenance=READER) == {TABLE: version}


def test_an_override_needs_a_reason_and_leaves_a_trace(any_lake: Lake):
    version = put(any_lake)
    any_lake.record_gates(version, [found("one", passed=False)], by("a"))
    for reason in (None, "", "  \n"):
        with pytest.raises(GateError, match="override_gates_because"):
            any_lake.require_gates([(TABLE, "a")], provenance=READER, override_reason=reason)

    let = any_lake.require_gates([(TABLE, "a")], provenance=READER, override_reason=" a known false alarm ")
    assert let == {TABLE: version}
    with any_lake.read("gates") as reader:
        rows = [row for row in reader.read_all().to_pylist() if row["override_reason"] is not None]
    assert [(row["check_name"], row["override_reason"], row["snapshot_id"]) for row in rows] == [
        ("override by a_consumer", "a known false alarm", version.snapshot_id)
    ]
    assert "failed one" in json.loads(rows[0]["facts"])["overrode"]

    # It was for that reader; the next one is asked again.
    with pytest.raises(GateError, match="failed one"):
        any_lake.require_gates([(TABLE, "a")], provenance=READER)


def test_an_override_does_not_make_an_unchecked_version_a_checked_one(lake: Lake):
    put(lake)
    lake.require_gates([(TABLE, "a")], provenance=READER, override_reason="first look")
    with pytest.raises(GateError, match="was never checked"):
        lake.require_gates([(TABLE, "a")], provenance=READER)


def test_no_reason_stands_in_for_rows_that_were_never_written(lake: Lake):
    put(lake)
    with pytest.raises(GateError, match="never written first"):
        lake.require_gates([(TABLE, "a"), (TABLE, "b")], provenance=READER, override_reason="please")
    with lake.read("gates") as reader:
        assert reader.read_all().num_rows == 0


def test_of_many_partitions_the_newest_version_covers_all(any_lake: Lake):
    versions = {name: put(any_lake, name) for name in ("b", "a", "c")}
    documents = put(any_lake, "a", "fineweb")
    for version in (*versions.values(), documents):
        any_lake.record_gates(version, [found()], by(version.partition))
    inputs = [(TABLE, name) for name in "abc"] + [("fineweb", "a"), (TABLE, "a")]
    passed = any_lake.require_gates(inputs, provenance=READER)
    assert passed == {TABLE: versions["c"], "fineweb": documents}
    with any_lake.read(TABLE, snapshot_id=passed[TABLE].snapshot_id) as reader:
        assert reader.read_all().num_rows == 60


def test_hostile_names_are_only_names(any_lake: Lake):
    name = "a'; DROP TABLE gates; --"
    version = put(any_lake, name)
    any_lake.record_gates(version, [GateOutcome(name, False, True, {name: name})], by(name, name))
    with pytest.raises(GateError, match="DROP TABLE gates"):
        any_lake.require_gates([(TABLE, name), (name, name)], provenance=by(name, name))
    any_lake.require_gates([(TABLE, name)], provenance=by(name, name), override_reason=name)


def test_facts_that_are_not_json_are_refused(lake: Lake):
    version = put(lake)
    for fact in (float("nan"), object(), np.float32(0.5)):
        with pytest.raises(LakeError, match=r"facts of check c on segment_labels\[a\] are not JSON"):
            lake.record_gates(version, [GateOutcome("c", True, True, {"fact": fact})], by("a"))
    with pytest.raises(GateError, match="was never checked"):
        lake.require_gates([(TABLE, "a")], provenance=READER)


def test_nothing_found_is_nothing_recorded(lake: Lake):
    lake.record_gates(put(lake), [], by("a"))
    with pytest.raises(GateError, match="was never checked"):
        lake.require_gates([(TABLE, "a")], provenance=READER)
