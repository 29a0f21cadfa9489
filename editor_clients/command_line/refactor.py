"""`diffill fill` and `diffill rewrite`: many places of many files, shown or written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from editor_clients.command_line import survey as surveys
from editor_clients.command_line.editing import Choose, Editing, Work, keep_all
from editor_clients.command_line.engines import EngineSession, OpenEngine, engine_for
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.order import Order
from editor_clients.command_line.outcomes import FileOutcome, SpanOutcome, SpanStatus, Tally
from editor_clients.command_line.recording import Ask, Recorder
from editor_clients.command_line.reports import PatchFile, Report, report_for
from editor_clients.command_line.screen import Screen, counted, stats_line
from editor_clients.command_line.survey import Survey
from editor_clients.command_line.writing import Manner, Writer
from engine.protocol import EditRequest, EditResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What is printed."""

    form: str = "diff"  # or json, stream, sarif
    context: int = 3
    patch: str | None = None
    record: str | None = None
    check: bool = False  # exit code 1 if something would change
    interactive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the command."""

    survey: Survey
    order: Order
    manner: Manner = field(default_factory=Manner)
    output: Output = field(default_factory=Output)


def run(call: Call, open_engine: OpenEngine | None, screen: Screen, model: str | None) -> Exit:
    """Make the edits and show them; write them if told to.

    Raises:
        Stop: if the call cannot be understood; nothing was done then.
        EngineError: if there is no engine to be had.
    """
    reports: list[Report] = [report_for(call.output.form, screen, call.output.context)]
    if call.output.patch is not None:
        reports.append(PatchFile(call.output.patch))
    recorder = Recorder(call.output.record, model) if call.output.record else None
    meter = Meter(screen)
    try:
        return _Run(call, screen, meter, reports, recorder).run(open_engine, model)
    finally:
        meter.end()


class _Run:
    """One run, from the survey to the last line."""

    def __init__(
        self,
        call: Call,
        screen: Screen,
        meter: Meter,
        reports: list[Report],
        recorder: Recorder | None,
    ) -> None:
        self._call, self._screen, self._meter, self._reports = call, screen, meter, reports
        self._recorder = recorder
        self._tally = Tally()
        self._writer = Writer(call.manner)
        self._pending: list[FileOutcome] = []
        self._unchecked: set[str] = set()

    def run(self, open_engine: OpenEngine | None, model: str | None) -> Exit:
        works, total = self._works()
        first = next(works, None)
        complete = False
        try:
            if first is not None:
                self._edit_all(first, works, total, open_engine, model)
            complete = True
        finally:
            self._tally.interrupted = not complete
            self._finish(complete)
        if first is None and not self._tally.refused:
            self._screen.say("nothing to edit: no such place found")
        return self._tally.exit(check=self._call.output.check)

    def _works(self) -> tuple[Iterator[Work], int]:
        """Return what there is to do, the unwritable left out, and how many places that is."""
        call = self._call
        if call.survey.is_stdin:
            work = surveys.standard_input(call.survey)
            if not work.places and self._is_filter:
                self._screen.out(work.file.bom + work.file.text)
            return iter([work] if work.places else []), len(work.places)
        plan = surveys.plan(call.survey, self._meter)
        self._tally.skipped = plan.skipped
        if plan.places > 1:
            files = counted(len(plan.seen), "file")
            self._note(f"{counted(plan.places, 'place')} in {files} of {plan.scanned:,}")
        if plan.skipped:
            self._note(
                f"{counted(plan.skipped, 'file')} skipped: not text, too large or too slow to parse"
            )
        if plan.left_out:
            self._note(f"{counted(plan.left_out, 'place')} left out (--max-spans)")
        dirty = call.manner.dirty([Path(one.name).resolve() for one in plan.seen])
        if dirty and call.manner.atomic:
            raise Stop(Exit.REFUSED, f"{min(dirty)}: has changes that are not committed")

        def works() -> Iterator[Work]:
            for one in plan.seen:
                try:
                    work = surveys.work_on(one, call.survey, call.manner, dirty)
                except Stop as refusal:  # gone since it was looked into
                    self._tally.refused += 1
                    self._warn(str(refusal))
                    continue
                if work.refusal:
                    refused = FileOutcome(
                        file=work.file, language=work.language, refusal=work.refusal
                    )
                    self._writer.take(refused)
                    self._settle(refused)
                elif work.places:
                    yield work

        return works(), plan.places

    def _edit_all(
        self,
        first: Work,
        rest: Iterator[Work],
        total: int,
        open_engine: OpenEngine | None,
        model: str | None,
    ) -> None:
        order, place = self._call.order, first.places[0]
        # A wrong option is told before a model is fetched.
        order.request(first.file.text, place, language=first.language, path=first.file.name)
        with self._meter.paused():
            open_engine = open_engine or engine_for(model, self._screen)
        self._meter.begin("starting", total, "spans")
        with contextlib.closing(EngineSession(open_engine, self._meter.on_status)) as engine:
            ask = self._watched(engine) if self._call.output.interactive else engine.edit
            ask = self._recorder.around(ask) if self._recorder else ask
            editing = Editing(order, ask, self._choose())
            self._edit(editing, first)
            while not editing.is_stopped and (work := next(rest, None)):
                self._edit(editing, work)

    def _watched(self, engine: EngineSession) -> Ask:
        """Return what asks the engine and shows how it works."""

        def ask(request: EditRequest) -> EditResult:
            return engine.edit(replace(request, frames=True), self._meter.on_frame)

        return ask

    def _choose(self) -> Choose:
        if not self._call.output.interactive:
            return keep_all
        from editor_clients.command_line.prompt import Prompt

        return Prompt(self._screen, self._meter)

    def _edit(self, editing: Editing, work: Work) -> None:
        outcome = FileOutcome(file=work.file, language=work.language)
        self._meter.show(work.file.name)
        complete = False
        try:
            for span in editing.outcomes(work):
                outcome.spans.append(span)
                self._meter.step(span.stats)
                self._tell(work, span)
            complete = True
        finally:
            if not complete and outcome.spans:
                done = f"{len(outcome.spans)} of {counted(len(work.places), 'place')}"
                outcome.refusal = f"{work.file.name}: stopped after {done}, so it was not written"
                self._settle(outcome)
        if not self._call.survey.is_stdin:
            self._writer.take(outcome)
        if self._writer.is_deferred:
            self._pending.append(outcome)
        else:
            self._settle(outcome)

    def _tell(self, work: Work, span: SpanOutcome) -> None:
        if not span.checked and work.language not in self._unchecked:
            self._unchecked.add(work.language)
            known = f"no grammar for {work.language}" if work.language else "unknown language"
            self._note(f"{known}: the edit was not checked")
        if span.status in (SpanStatus.INVALID, SpanStatus.FAILED):
            line = work.file.text.count("\n", 0, span.place.span.start) + 1
            why = "; ".join(span.reasons) or "the result did not validate"
            word = "refused" if span.status is SpanStatus.INVALID else "failed"
            self._warn(f"{work.file.name}:{line}: {word}: {why}")

    def _settle(self, outcome: FileOutcome) -> None:
        """Report a file whose fate is known."""
        self._tally.add(outcome)
        with self._meter.paused():
            if outcome.refusal:
                self._screen.warn(outcome.refusal)
            if self._is_filter and not outcome.refusal:
                self._screen.out(outcome.file.bom + outcome.text)
                return
            for report in self._reports:
                report.file(outcome)

    @property
    def _is_filter(self) -> bool:
        """Whether standard output gets the whole new text."""
        call = self._call
        return call.survey.is_stdin and call.manner.write and call.output.form == "diff"

    def _finish(self, complete: bool) -> None:
        try:
            self._writer.finish(complete=complete)
        finally:
            for outcome in self._pending:
                self._settle(outcome)
            self._meter.end()
            for report in self._reports:
                report.end(self._tally)
            self._summarise()

    def _summarise(self) -> None:
        tally, say = self._tally, self._screen.say
        if tally.spans and not tally.changed and not tally.invalid and not tally.failed:
            say("nothing to change")
        if tally.spans > 1 or (tally.spans and tally.interrupted):
            parts = [f"{tally.edited} edited"]
            parts += [f"{n} {word}" for n, word in _rest_of(tally) if n]
            stopped = "stopped: " if tally.interrupted else ""
            of = f"{counted(tally.spans, 'place')} in {counted(tally.files, 'file')}"
            say(f"{stopped}{of}: {', '.join(parts)}")
        if tally.written:
            say(f"{counted(tally.written, 'file')} written; `diffill undo` takes that back")
        if tally.spans:
            say(stats_line(tally.stats))

    def _note(self, message: str) -> None:
        with self._meter.paused():
            self._screen.say(message)

    def _warn(self, message: str) -> None:
        with self._meter.paused():
            self._screen.warn(message)


def _rest_of(tally: Tally) -> list[tuple[int, str]]:
    return [
        (tally.invalid, "refused"),
        (tally.failed, "failed"),
        (tally.spans - tally.edited - tally.invalid - tally.failed, "left as they are"),
    ]
