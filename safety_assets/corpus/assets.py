"""The corpus stage in Dagster: ``fineweb``, the validated source documents of a shard."""

import dagster as dg

from resources.lake_resource import LakeResource
from resources.shard_source import ShardSourceResource
from safety_assets.corpus.checks import CHECKS, fineweb_gates
from safety_assets.corpus.ingest import ingest_shard
from safety_assets.corpus.registry import fetched, registered_shard
from safety_assets.partitions import SHARDS
from safety_assets.shell import OWNERS, check_specs, column_schema, materialised, provenance


@dg.asset(
    partitions_def=SHARDS,
    group_name="corpus",
    kinds={"parquet", "duckdb"},
    owners=OWNERS,
    code_version="1",
    backfill_policy=dg.BackfillPolicy.multi_run(1),
    check_specs=check_specs("fineweb", CHECKS),
    metadata=column_schema("fineweb"),
    tags={"stage": "corpus"},
)
def fineweb(
    context: dg.AssetExecutionContext, lake: LakeResource, source: ShardSourceResource
) -> dg.MaterializeResult:
    """Source documents of one shard, validated; bad rows are in the table `quarantine`, each with its reason."""
    store = lake.open()
    with fetched(registered_shard(store, context.partition_key), source) as path:
        ingest = ingest_shard(path, store, provenance(context))
    metadata = {
        "rows_read": ingest.rows_read,
        "documents": ingest.version.rows,
        "tokens": ingest.tokens,
        "quarantined": sum(ingest.rejected.values()),
        "quarantined_rate": sum(ingest.rejected.values()) / max(ingest.rows_read, 1),
        **{f"quarantined_{reason}": count for reason, count in sorted(ingest.rejected.items())},
    }
    return materialised(context, store, ingest.version, fineweb_gates(store, ingest), metadata)
