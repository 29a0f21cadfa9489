"""`diffill metrics`: how many proposals the editors have shown, and what became of them."""

from __future__ import annotations

import json

from editor_clients.command_line import files
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.screen import Screen, table
from lsp_server import metrics
from lsp_server.metrics import Event, Kind, Record

JSON_SCHEMA = 1
_SHARES = {"p50": 0.5, "p95": 0.95}


def run(screen: Screen, *, as_json: bool, erase: bool) -> Exit:
    """Print the counts, or delete them.

    Raises:
        Stop: if they cannot be deleted.
    """
    path = metrics.path()
    if erase:
        try:
            was_there = metrics.erase()
        except OSError as error:
            raise Stop(
                Exit.REFUSED, f"{path}: {files.why(error)}, so it was not deleted"
            ) from error
        screen.say(f"deleted {path}" if was_there else f"{path} was not there")
        return Exit.DONE
    record = metrics.read()
    if as_json:
        screen.out(json.dumps(_values(record), indent=2) + "\n")
        return Exit.DONE
    rows = [("", *(f"{kind}s" for kind in Kind))]
    rows += [(event, *(f"{record.count(kind, event):,}" for kind in Kind)) for event in Event]
    for name, share in _SHARES.items():
        rows.append((f"latency {name}", *(_within(record, kind, share) for kind in Kind)))
    screen.out(table(list[tuple[str, ...]](rows)))
    since = f"since {record.since}" if record.counts else "nothing was counted yet"
    screen.say(f"{since}, in {path}")
    return Exit.DONE


def _within(record: Record, kind: Kind, share: float) -> str:
    limit = record.latency_s(kind, share)
    return "-" if limit is None else f"within {limit:g} s"


def _values(record: Record) -> dict[str, object]:
    return {
        "schema": JSON_SCHEMA,
        "since": record.since,
        "file": str(metrics.path()),
        **{
            kind: {event: record.count(kind, event) for event in Event}
            | {f"latency_{n}_s": record.latency_s(kind, share) for n, share in _SHARES.items()}
            for kind in Kind
        },
    }
