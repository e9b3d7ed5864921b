"""Logs as lines of JSON, for machines that collect them: `time, level, logger, message` and, where they are known, `dataset,
run, step, error`. On a terminal logs stay as they are.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson

_PARTITION_TAG = "dagster/partition"


class JsonLines(logging.Formatter):
    """One JSON object a record; a record of a Dagster run says of which dataset, run and step it is."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        meta: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": meta.get("orig_message") or record.getMessage(),
            "dataset": getattr(record, "dataset", None) or (meta.get("job_tags") or {}).get(_PARTITION_TAG),
            "run": getattr(record, "run", None) or meta.get("run_id"),
            "step": meta.get("step_key"),
            "event": event.event_type_value if (event := meta.get("dagster_event")) is not None else None,
            "error": self.formatException(record.exc_info) if record.exc_info else None,
        }
        return orjson.dumps({name: value for name, value in fields.items() if value is not None}).decode()


def json_handler(stream: TextIO | None = None) -> logging.Handler:
    """Return a handler that writes JSON lines (default: to standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    return handler


def use_json_lines(level: int = logging.INFO) -> None:
    """Make this process's logs JSON lines."""
    logging.basicConfig(level=level, handlers=[json_handler()], force=True)
