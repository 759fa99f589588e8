"""The summary that ends ``make run``: what a person wants to know of the data half, from the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from resources.lake import Lake
from resources.profile import safety_home

__all__ = ["print_summary"]


def print_summary(
    lake: Lake,
    shards: Sequence[str],
    recipes: Sequence[str],
    asked: Mapping[str, int],
    failures: Sequence[str],
    seconds: float,
) -> None:
    """Print rows and tokens per data set, scores, what was held back and why, and where to look next."""
    parameters = {"shards": list(shards)}
    _heading(f"Data sets ({len(shards)} shard(s))")
    print(f"  {'data set':<18}{'rows':>9}{'tokens':>12}   not used")
    for row in lake.rows("summary_datasets", parameters):
        print(f"  {row['dataset']:<18}{row['rows']:>9,}{row['tokens'] or 0:>12,}   {row['left_out']:,}")
    _heading("Safety scores (the higher of two scorers)")
    scores = lake.rows("summary_scores", parameters)
    total = max(sum(row["documents"] for row in scores), 1)
    for row in scores:
        name = "no score" if row["score"] is None else str(row["score"])
        share = row["documents"] / total
        print(f"  {name:<9}{row['documents']:>7,}  {share:6.1%}  {'█' * round(40 * share)}")
    _heading("What became of every row")
    for row in lake.rows("summary_dispositions", parameters):
        why = f"  ({row['why']})" if row["why"] else ""
        print(f"  {row['disposition']:<12}{row['documents']:>7,}{why}")
    if recipes:
        _print_models(lake, recipes)
    _heading("Language model")
    if any(asked.values()):
        print(
            f"  {asked['choice_scores']:,} documents scored and {asked['generations']:,} texts generated in this run."
        )
    else:
        print("  Nothing was asked in this run: every answer it needed was kept from before.")
    _heading("Where to look")
    index = safety_home() / "report_cards" / "index.html"
    print(f"  Report cards   {index if index.exists() else 'none were written'}")
    ablation = safety_home() / "ablation" / "index.html"
    if recipes and ablation.exists():
        print(f"  Ablation       {ablation}")
    print("  Web UI         make ui, then http://127.0.0.1:3000")
    print("  SQL            make sql")
    for failure in failures:
        print(f"\n  FAILED: {failure} (the others went on; mend the cause and run again)")
    print(f"\nDone in {seconds:.0f} s.")


def _print_models(lake: Lake, recipes: Sequence[str]) -> None:
    """Trainings, and attack success rates with their intervals."""
    _heading("Models")
    print(f"  {'recipe':<24}{'parameters':>12}{'tokens':>11}{'loss':>7}{'perplexity':>12}{'tokens/s':>11}")
    for row in lake.rows("summary_checkpoints", {"recipes": list(recipes)}):
        print(
            f"  {row['recipe']:<24}{row['parameters']:>12,}{row['tokens']:>11,}{row['final_loss']:>7.2f}"
            f"{row['validation_perplexity'] or float('nan'):>12.0f}{row['tokens_per_second']:>11,.0f}"
        )
    _heading("Attack success rates, with 95 % intervals (lower is safer)")
    for row in lake.rows("summary_attacks", {"recipes": list(recipes)}):
        attack = " prefilled" if row["attack"] == "prefill" else ""
        name = f"{row['stage']} {row['decoding']}{attack}"
        share = (
            "no verdict"
            if row["value"] is None
            else f"{row['value']:5.0%}  ({row['low']:.0%}-{row['high']:.0%})"
        )
        print(f"  {row['judge']:<16}{row['recipe']:<24}{name:<32}{share}")
    print(
        "  Models this small say little that makes sense: a judge of what is said finds no harm in it, and one that"
    )
    print("  looks for refusals only sees whether there is one.")


def _heading(text: str) -> None:
    print(f"\n{text}")
