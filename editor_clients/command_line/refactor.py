"""`diffill fill`, `rewrite`, `repair`, `run`: many places of many files, shown or written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from editor_clients.command_line import files
from editor_clients.command_line import survey as surveys
from editor_clients.command_line.asking import Asking
from editor_clients.command_line.editing import Choose, Editing, Work, keep_all, request_of
from editor_clients.command_line.engines import EngineSession, OpenEngine, engine_for
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.formatting import Formatter
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.order import Order
from editor_clients.command_line.outcomes import FileOutcome, SpanOutcome, SpanStatus, Tally
from editor_clients.command_line.recording import Recorder
from editor_clients.command_line.reports import PatchFile, Report, report_for
from editor_clients.command_line.screen import Screen, counted, stats_line
from editor_clients.command_line.survey import Plan, Survey
from editor_clients.command_line.unfinished import Unfinished
from editor_clients.command_line.writing import Manner, Writer
from engine.errors import ConfigError
from engine.protocol import Priority


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
    orders: tuple[Order, ...]  # one for each step of the survey
    manner: Manner = field(default_factory=Manner)
    output: Output = field(default_factory=Output)
    formatter: Formatter | None = None
    unfinished: Unfinished = field(default_factory=Unfinished)
    deadline_s: float | None = None  # for the whole run


def run(call: Call, open_engine: OpenEngine | None, screen: Screen, model: str | None) -> Exit:
    """Make the edits and show them; write them if told to.

    Raises:
        Stop: if the call cannot be understood, and nothing was done then; or if its time is up.
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


@dataclass(slots=True)
class _Task:
    """A file on its way through the steps."""

    outcome: FileOutcome
    counts: list[int]  # how many places each step was seen to have
    step: int = -1  # the one it is at
    work: Work | None = None  # what is to do for it

    @property
    def file(self) -> UserFile:
        """The file with the text that the steps so far have given it."""
        return replace(self.outcome.file, text=self.outcome.text)


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
        self._num_files, self._sought, self._misnamed = 1, "such place", False
        self._writer = Writer(call.manner)
        self._pending: list[FileOutcome] = []
        self._unchecked: set[str] = set()
        self._rooms = [call.survey.max_spans for _ in call.survey.steps]

    def run(self, open_engine: OpenEngine | None, model: str | None) -> Exit:
        tasks, total = self._tasks()
        first = next(tasks, None)
        complete = False
        try:
            if first is not None:
                self._edit_all(first, tasks, total, open_engine, model)
            complete = True
        finally:
            self._tally.interrupted = not complete
            self._finish(complete)
        if first is None and not self._tally.refused:
            self._screen.say(f"nothing to edit: no {self._sought} found")
            if self._misnamed:
                return Exit.USAGE
        return self._tally.exit(check=self._call.output.check)

    def _tasks(self) -> tuple[Iterator[_Task], int]:
        """Return what there is to do, the unwritable left out, and how many places that is."""
        call = self._call
        if call.survey.is_stdin:
            file = surveys.standard_input(call.survey)
            language = call.survey.language_of(file.name)
            task = _Task(FileOutcome(file=file, language=language), [1] * len(call.orders))
            self._advance(task)
            for told in surveys.unmatched_in(file, call.survey):
                self._warn(told)
            if task.work is None and self._is_filter:
                self._screen.out(file.bom + file.text)
            return iter([task] if task.work else []), len(task.work.places) if task.work else 0
        plan = surveys.plan(call.survey, self._meter)
        self._num_files = len(plan.counts)
        self._tally.skipped = plan.skipped
        self._sought = "such place" if plan.scanned else "file"
        self._misnamed = bool(plan.unmatched)
        for told in plan.unmatched:
            self._warn(told)
        for told in plan.notes():
            self._note(told)
        dirty = call.manner.dirty([Path(name).resolve() for name in plan.counts])
        if call.manner.atomic:  # told now, not after hours of work
            for name in plan.counts:
                if refusal := call.manner.refusal(files.read(name, call.survey.max_bytes), dirty):
                    raise Stop(Exit.REFUSED, refusal)
        return self._tasks_of(plan, dirty), plan.places

    def _tasks_of(self, plan: Plan, dirty: set[Path]) -> Iterator[_Task]:
        call, done_before = self._call, 0
        for name, counts in plan.counts.items():
            try:
                file = files.read(name, call.survey.max_bytes)
                if call.unfinished.is_written(file):
                    done_before += 1
                    continue
                refusal = call.manner.refusal(file, dirty)
                language = call.survey.language_of(name)
                outcome = FileOutcome(file=file, language=language, refusal=refusal)
                task = _Task(outcome, counts)
                if not refusal:
                    self._advance(task)
            except Stop as stop:  # gone since it was looked into
                self._tally.refused += 1
                self._warn(str(stop))
                continue
            if refusal:
                self._writer.take(outcome)
                self._settle(outcome)
            elif task.work:
                yield task
        if done_before:
            self._note(f"{counted(done_before, 'file')} done before (--resume)")

    def _advance(self, task: _Task) -> None:
        """Go on to the next step that has something to do, or to the end."""
        steps, task.work = self._call.survey.steps, None
        while task.work is None and task.step + 1 < len(steps):
            task.step += 1
            # What an earlier step wrote may have places that nobody could see before.
            if task.counts[task.step] or task.outcome.is_changed:
                file, room = task.file, self._rooms[task.step]
                if places := surveys.places_in(file, steps[task.step], room):
                    task.work = Work(file, task.outcome.language, places)
                if room is not None:
                    self._rooms[task.step] = room - len(places)

    def _edit_all(
        self,
        first: _Task,
        rest: Iterator[_Task],
        total: int,
        open_engine: OpenEngine | None,
        model: str | None,
    ) -> None:
        orders = self._call.orders
        if total > 1 and not self._call.output.interactive:  # people go first
            orders = tuple(replace(order, priority=Priority.BATCH) for order in orders)
        if first.work:  # a wrong option is told before a model is fetched
            request_of(orders[first.step], first.work)
        with self._meter.paused():
            open_engine = open_engine or engine_for(model, self._screen)
        self._meter.begin("starting", total, "spans", self._num_files)
        with contextlib.closing(EngineSession(open_engine, self._meter.on_status)) as engine:
            on_frame = self._meter.on_frame if self._call.output.interactive else None
            asking = Asking(engine, self._call.unfinished, self._call.deadline_s, on_frame)
            ask = self._recorder.around(asking) if self._recorder else asking
            choose = self._choose()
            editings = [Editing(order, ask, choose) for order in orders]
            task: _Task | None = first
            while task:
                self._edit(editings, task)
                done = task.outcome
                is_stopped = any(editing.is_stopped for editing in editings)
                task = None if is_stopped else next(rest, None)
                if task and task.work and not self._call.output.interactive:
                    # The engine works on it while this file is formatted, written and checked.
                    with contextlib.suppress(ConfigError):  # told when its turn comes
                        asking.ahead(request_of(orders[task.step], task.work))
                self._keep(done)

    def _choose(self) -> Choose:
        if not self._call.output.interactive:
            return keep_all
        from editor_clients.command_line.prompt import Prompt

        return Prompt(self._screen, self._meter)

    def _edit(self, editings: list[Editing], task: _Task) -> None:
        outcome = task.outcome
        self._meter.show(outcome.file.name)
        complete = False
        try:
            while work := task.work:
                for span in editings[task.step].outcomes(work):
                    outcome.spans.append(replace(span, step=task.step))
                    self._meter.step(span.stats)
                    self._tell(work, span)
                if editings[task.step].is_stopped:
                    break
                self._advance(task)
            complete = True
        finally:
            if not complete and outcome.spans:
                done = counted(len(outcome.spans), "place")
                name = outcome.file.name
                outcome.refusal = f"{name}: stopped after {done}, so it was not written"
                self._settle(outcome)

    def _keep(self, outcome: FileOutcome) -> None:
        """Format and write a file whose edits are made."""
        formatter = self._call.formatter
        if formatter and (failure := formatter.format(outcome)):
            self._warn(failure)
        self._pending.append(outcome)
        if not self._call.survey.is_stdin:
            self._writer.take(outcome)
        if self._writer.is_deferred:
            return
        self._pending.remove(outcome)
        if outcome.written:
            raw = files.encoded(outcome.file, outcome.text)
            self._call.unfinished.wrote(outcome.file.target, raw)
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
            if complete:
                self._call.unfinished.end()
        finally:
            for outcome in self._pending:
                if not complete and not outcome.written and not outcome.refusal:
                    outcome.refusal = f"{outcome.file.name}: interrupted, so it was not written"
                self._settle(outcome)
            self._meter.end()
            try:
                for report in self._reports:
                    report.end(self._tally)
            finally:  # what was written is written
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
            call = self._writer.undo_call
            say(f"{counted(tally.written, 'file')} written; `{call}` takes that back")
        if tally.spans:
            say(stats_line(tally.stats))
        if tally.spans and tally.interrupted:
            say("the same command with --resume goes on from here")

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
