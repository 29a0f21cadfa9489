"""The suite's report: one table, one JSON object (`report.schema.json`), one chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.samples import BASELINE, Row, Sample, rows_of

FORMAT = 1
_COLUMNS = (
    "",
    "engine",
    "n",
    "p50 ms",
    "p95 ms",
    "tokens/s",
    "times as long",
    "changed %",
    "floor ms",
    "over floor",
    "peak MB",
)
_COLOURS = {BASELINE: "#0072b2", "llama.cpp": "#d55e00", "transformers": "#009e73"}


@dataclass
class Report:
    """All that a run of the suite found out."""

    about: dict[str, Any]  # the machine, the engines, the options
    samples: list[Sample] = field(default_factory=list[Sample])
    peaks: list[Row] = field(default_factory=list[Row])
    absent: list[str] = field(default_factory=list[str])  # sentences: what was not measured, why

    def note_peak(self, what: str, engine: str, megabytes: float) -> None:
        """Note the most memory that a process of an engine has taken."""
        row = Row(
            part="memory", what=what, engine=engine, num_cases=1, num_runs=1, peak_mb=megabytes
        )
        self.peaks.append(row)

    @property
    def rows(self) -> list[Row]:
        """The rows of the table."""
        return [*rows_of(self.samples), *self.peaks]

    def json(self) -> dict[str, Any]:
        """Return it as plain JSON values, every sample included."""
        return {
            "format": FORMAT,
            "about": self.about,
            "absent": self.absent,
            "rows": [asdict(row) for row in self.rows],
            "samples": [asdict(sample) for sample in self.samples],
        }


def table(rows: Sequence[Row]) -> str:
    """Return the Markdown table."""
    lines = [_COLUMNS, ["---", "---", *["--:"] * (len(_COLUMNS) - 2)], *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Row) -> list[str]:
    def ms(seconds: float | None) -> str:
        return _number(seconds and 1e3 * seconds)

    return [
        f"{row.part}: {row.what}",
        row.engine,
        f"{row.num_cases}" + (f" x {row.num_runs}" if row.num_runs > 1 else ""),
        ms(row.p50_s),
        ms(row.p95_s),
        _number(row.tokens_s),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        _number(row.changed and 100 * row.changed),
        ms(row.floor_s),
        "" if row.over_floor is None else f"{row.over_floor:.2f}",
        _number(row.peak_mb),
    ]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def draw(rows: Sequence[Row], path: Path) -> bool:
    """Write the chart as PNG; False if there is nothing in it to draw.

    Raises:
        ImportError: if matplotlib is not there.
    """
    from matplotlib.figure import Figure

    bars = [row for row in rows if row.part in ("fills", "rewrites")]
    curves = {
        part: found for part in ("context", "hole", "pass") if (found := _of_part(rows, part))
    }
    count = bool(bars) + len(curves)
    if not count:
        return False
    figure = Figure(figsize=(6.4 * min(count, 2), 4.2 * -(-count // 2)), layout="constrained")
    panels = figure.subplots(-(-count // 2), min(count, 2), squeeze=False).flat
    if bars:
        _draw_bars(next(panels), bars)
    for part, found in curves.items():
        _draw_curves(next(panels), part, found)
    for panel in panels:
        panel.set_axis_off()
    figure.savefig(path, dpi=120)
    return True


def _of_part(rows: Sequence[Row], part: str) -> list[Row]:
    return [row for row in rows if row.part == part]


def _draw_bars(axes: Any, rows: Sequence[Row]) -> None:
    """Draw the medians of whole answers, a line to where 95 % of them end."""
    kinds = list(dict.fromkeys(f"{row.part}, {row.what}" for row in rows))
    engines = list(dict.fromkeys(row.engine for row in rows))
    height = 0.8 / len(engines)
    for number, engine in enumerate(engines):
        found = [row for row in rows if row.engine == engine]
        places = [kinds.index(f"{row.part}, {row.what}") + number * height for row in found]
        middle = [row.p50_s or 0.0 for row in found]
        tails = [(row.p95_s or 0.0) - p50 for row, p50 in zip(found, middle, strict=True)]
        tail = [[0.0] * len(found), [max(0.0, t) for t in tails]]  # an even median may be above
        colour = _COLOURS.get(engine)
        axes.barh(places, middle, height, xerr=tail, color=colour, ecolor="#777777", label=engine)
    axes.set_yticks([i + 0.4 - height / 2 for i in range(len(kinds))], kinds)
    axes.invert_yaxis()
    axes.set(xlabel="seconds: median, line to the 95th percentile", title="whole answers")
    axes.legend()


def _draw_curves(axes: Any, part: str, rows: Sequence[Row]) -> None:
    """Draw time against tokens, and the floor under the baseline's."""
    lines: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        _, _, behind = row.what.partition(" tokens")
        lines.setdefault((row.engine, behind), []).append(row)
    styles = dict(zip(dict.fromkeys(b for _, b in lines), ("-", "--", ":", "-."), strict=False))
    for (engine, behind), found in lines.items():
        tokens = [int(row.what.split()[0]) for row in found]
        look = {"color": _COLOURS.get(engine), "linestyle": styles.get(behind, "-")}
        times = [1e3 * (row.p50_s or 0.0) for row in found]
        axes.plot(tokens, times, marker="o", label=engine + behind, **look)
        if all(row.floor_s for row in found):
            look["color"] = "#777777"
            floors = [1e3 * (row.floor_s or 0.0) for row in found]
            axes.plot(tokens, floors, label=f"floor{behind}", **look)
    ticks = sorted({int(row.what.split()[0]) for row in rows})
    axes.set(xlabel=f"tokens of the {part}", ylabel="milliseconds", ylim=(0, None))
    axes.set_xticks(ticks, [str(t) for t in ticks])
    axes.set_title(f"cost of a {part}")
    axes.legend(fontsize="small")
