"""How a run speaks to a terminal: the assets' own progress lines, and none of Dagster's events."""

import logging
import sys

import dagster as dg

__all__ = ["terminal_logger"]


@dg.logger(description="Progress lines of assets, for the command line.")
def terminal_logger(_: dg.InitLoggerContext) -> logging.Logger:
    """A logger that prints INFO lines of assets, indented; warnings and errors as they are."""
    logger = logging.getLogger("safety_assets.terminal")
    logger.handlers.clear()
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_is_progress)
    handler.setFormatter(logging.Formatter("          %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def _is_progress(record: logging.LogRecord) -> bool:
    meta = getattr(record, "dagster_meta", None) or {}
    message = meta.get("orig_message") or record.getMessage()
    event = meta.get("dagster_event")
    record.msg, record.args = message, ()
    return event is None and record.levelno >= logging.INFO
