"""Holes that only the definition in another file tells how to fill; ‸ marks the hole."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    language: str
    path: str
    text: str
    others: dict[str, str]
    right: str  # what a good fill matches


CASES = [
    Case(
        "dataclass fields",
        "python",
        "shop/total.py",
        '''from shop.items import LineItem


def total_price(items: list[LineItem]) -> int:
    """Return the price of all items together, in cents."""
    return ‸
''',
        {
            "shop/items.py": '''from dataclasses import dataclass


@dataclass
class LineItem:
    """Something in the basket."""

    label: str
    unit_cents: int
    pieces: int
'''
        },
        r"(?s)(?=.*\bunit_cents\b)(?=.*\bpieces\b)",
    ),
    Case(
        "method name",
        "python",
        "app/report.py",
        '''from app.ledger import Ledger


def print_balance(ledger: Ledger, account: str) -> None:
    """Print the balance of an account."""
    balance = ‸
    print(f"{account}: {balance}")
''',
        {
            "app/ledger.py": '''class Ledger:
    """Bookings of all accounts."""

    def __init__(self) -> None:
        self._entries: dict[str, list[int]] = {}

    def post(self, account: str, cents: int) -> None:
        self._entries.setdefault(account, []).append(cents)

    def sum_of(self, account: str) -> int:
        """Return the sum of an account's bookings."""
        return sum(self._entries.get(account, []))
'''
        },
        r"ledger\.sum_of\(account\)",
    ),
    Case(
        "function arguments",
        "python",
        "jobs/nightly.py",
        '''from jobs.mail import deliver

ADMIN = "root@example.org"


def notify(problem: str) -> None:
    """Mail the problem to the administrator."""
    ‸
''',
        {
            "jobs/mail.py": '''def deliver(recipient: str, subject: str, body: str, *, urgent=0):
    """Send a mail."""
    raise NotImplementedError
'''
        },
        r"deliver\(\s*(recipient\s*=\s*)?ADMIN,\s*(subject\s*=\s*)?[^,]+,\s*(body\s*=\s*)?.*problem",
    ),
    Case(
        "enum member",
        "python",
        "door/lock.py",
        '''from door.states import DoorState


def is_passable(state: DoorState) -> bool:
    """Tell whether somebody can walk through a door that is open."""
    return state is ‸
''',
        {
            "door/states.py": '''from enum import Enum, auto


class DoorState(Enum):
    """What a door is."""

    SHUT = auto()
    WIDE_OPEN = auto()
    BOLTED = auto()
'''
        },
        r"^DoorState\.WIDE_OPEN",
    ),
    Case(
        "constructor",
        "python",
        "geo/parse.py",
        '''from geo.place import Waypoint


def waypoint(line: str) -> Waypoint:
    """Read a waypoint from a line like `48.1;11.5;Munich`."""
    latitude, longitude, name = line.split(";")
    return ‸
''',
        {
            "geo/place.py": '''from dataclasses import dataclass


@dataclass(frozen=True)
class Waypoint:
    """A named place."""

    title: str
    north: float
    east: float
'''
        },
        r"Waypoint\((title=)?name, (north=)?float\(latitude\), (east=)?float\(longitude\)\)",
    ),
    Case(
        "exception",
        "python",
        "store/read.py",
        '''from store.errors import MissingRecord

RECORDS: dict[int, str] = {}


def read(number: int) -> str:
    """Return a record.

    Raises:
        MissingRecord: if there is none.
    """
    if number not in RECORDS:
        raise ‸
    return RECORDS[number]
''',
        {
            "store/errors.py": '''class MissingRecord(Exception):
    """There is no such record."""

    def __init__(self, table: str, number: int) -> None:
        super().__init__(f"{table}: no record {number}")
'''
        },
        r"MissingRecord\([^,()]+, *number\)",
    ),
    Case(
        "constant",
        "python",
        "net/wait.py",
        '''from net.limits import RETRY_PAUSES_S, pause


def wait(attempt: int) -> None:
    """Pause as long as the attempt's number says, at most as long as the last pause."""
    ‸
''',
        {
            "net/limits.py": '''import time

RETRY_PAUSES_S = (0.5, 1.0, 4.0, 16.0)


def pause(seconds: float) -> None:
    """Sleep."""
    time.sleep(seconds)
'''
        },
        r"pause\(RETRY_PAUSES_S\[min\(attempt",
    ),
    Case(
        "context manager",
        "python",
        "db/save.py",
        '''from db.session import Session


def save(session: Session, rows: list[dict[str, str]]) -> None:
    """Insert all rows in one transaction."""
    with session.‸:
        for row in rows:
            session.insert(row)
''',
        {
            "db/session.py": '''from collections.abc import Iterator
from contextlib import contextmanager


class Session:
    """A connection to the database."""

    @contextmanager
    def atomically(self) -> Iterator[None]:
        """Commit all that happens inside, or nothing."""
        yield

    def insert(self, row: dict[str, str]) -> None:
        """Add a row."""
'''
        },
        r"^atomically\(\)",
    ),
    Case(
        "module import",
        "python",
        "text/clean.py",
        '''from text import patterns


def without_tags(source: str) -> str:
    """Return the text without HTML tags."""
    return ‸
''',
        {
            "text/patterns.py": """import re

MARKUP = re.compile(r"<[^>]*>")
BLANKS = re.compile(r"\\s+")
"""
        },
        r"patterns\.MARKUP\.sub\(",
    ),
    Case(
        "relative import",
        "python",
        "game/move.py",
        '''from .board import Board


def can_move(board: Board, row: int, column: int) -> bool:
    """Tell whether the field is on the board and nobody stands on it."""
    return ‸
''',
        {
            "game/board.py": '''class Board:
    """A board of square fields."""

    def holds(self, row: int, column: int) -> bool:
        """Tell whether the field is on the board."""
        return True

    def piece_on(self, row: int, column: int) -> str | None:
        """Return who stands on a field, None if nobody does."""
        return None
'''
        },
        r"(?s)(?=.*board\.holds\(row, column\))(?=.*(not board\.piece_on|piece_on.* is None))",
    ),
    Case(
        "interface fields",
        "typescript",
        "src/format.ts",
        """import { Person } from "./person";

/** Returns the person's name as "Last, First". */
export function formal(person: Person): string {
  return ‸;
}
""",
        {
            "src/person.ts": """export interface Person {
  givenName: string;
  familyName: string;
  bornOn: Date;
}
"""
        },
        r"(?s)person\.familyName.*person\.givenName",
    ),
    Case(
        "class method",
        "typescript",
        "src/main.ts",
        """import { Cache } from "./cache";

/** Returns the page, from the cache if it is there. */
export async function page(cache: Cache, url: string): Promise<string> {
  const known = ‸;
  if (known !== undefined) return known;
  const text = await (await fetch(url)).text();
  cache.remember(url, text);
  return text;
}
""",
        {
            "src/cache.ts": """export class Cache {
  private pages = new Map<string, string>();

  recall(url: string): string | undefined {
    return this.pages.get(url);
  }

  remember(url: string, text: string): void {
    this.pages.set(url, text);
  }
}
"""
        },
        r"^\s*cache\.recall\(url\)",
    ),
    Case(
        "options object",
        "javascript",
        "lib/start.js",
        """import { listen } from "./server.js";

/** Starts the server on port 8080 of all interfaces. */
export function start() {
  return listen(‸);
}
""",
        {
            "lib/server.js": """/** Listens with the options `{ bindTo, portNumber }`. */
export function listen({ bindTo, portNumber }) {
  return createServer().listen(portNumber, bindTo);
}
"""
        },
        r"(?s)(?=.*portNumber: 8080)(?=.*bindTo: ['\"](0\.0\.0\.0|::)['\"])",
    ),
    Case(
        "struct fields",
        "go",
        "cmd/print.go",
        """package main

import (
	"fmt"

	"example.org/stock/store"
)

// PrintPart prints the part's number and how many there are.
func PrintPart(part store.Part) {
	fmt.Printf("%s: %d\\n", ‸)
}
""",
        {
            "store/part.go": """package store

// Part is something in the stock.
type Part struct {
	Serial  string
	InStock int
}
"""
        },
        r"part\.Serial, *part\.InStock",
    ),
    Case(
        "struct method",
        "rust",
        "src/main.rs",
        """mod gauge;

use gauge::Gauge;

/// Returns the mean of what the gauge has seen.
fn mean(gauge: &Gauge) -> f64 {
    ‸
}
""",
        {
            "src/gauge.rs": """/// Takes measurements.
pub struct Gauge {
    samples: Vec<f64>,
}

impl Gauge {
    pub fn readings(&self) -> &[f64] {
        &self.samples
    }
}
"""
        },
        r"gauge\.readings\(\)",
    ),
    Case(
        "header",
        "c",
        "src/draw.c",
        """#include "shape.h"

/* Returns the area of a rectangle. */
int area(const struct rect *r)
{
    return ‸;
}
""",
        {
            "src/shape.h": """struct rect {
    int left_x;
    int top_y;
    int breadth;
    int tallness;
};
"""
        },
        r"r->breadth \* r->tallness|r->tallness \* r->breadth",
    ),
]
