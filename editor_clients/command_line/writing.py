"""Write the edited files: each for itself, or all or none; only what passes its checks stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from editor_clients.command_line import files, git, journal, recovery, undo
from editor_clients.command_line.checks import Check
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.journal import Entry, Journal
from editor_clients.command_line.outcomes import FileOutcome

_NOT_ALL = "not written, for not every edit succeeded (--atomic)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to write."""

    write: bool = False
    atomic: bool = False  # all files or none
    allow_dirty: bool = False
    checks: tuple[Check, ...] = ()

    def __post_init__(self) -> None:
        for name, value in (("--atomic", self.atomic), ("a check", self.checks)):
            if value and not self.write:
                raise Stop(Exit.USAGE, f"{name} needs --write: without it no file changes")

    def refusal(self, file: UserFile, dirty: set[Path]) -> str:
        """Return why a file could not be written, "" if it could; asked before any other work."""
        if not self.write:
            return ""
        if file.target in dirty and not self.allow_dirty:
            return (
                f"{file.name}: has changes that are not committed, so it was not edited "
                "(--allow-dirty edits it all the same)"
            )
        try:
            files.check_writable(file)
        except Stop as refusal:
            return str(refusal)
        return ""

    def dirty(self, paths: list[Path]) -> set[Path]:
        """Return which files git could not bring back."""
        return git.uncommitted(paths) if self.write and not self.allow_dirty else set()


class Writer:
    """Writes files, logs them in the journal first, and takes back what fails its check."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._journal: Journal | None = None
        self._held: list[FileOutcome] = []
        self._unsealed: list[FileOutcome] = []  # written, and not committed yet
        self._checks_of_all: list[tuple[Check, Callable[[], str]]] = []

    @property
    def is_deferred(self) -> bool:
        """Whether a file's fate is open until all are done."""
        return self._manner.atomic or not all(check.is_per_file for check in self._manner.checks)

    @property
    def undo_call(self) -> str:
        """The command that takes back what was written."""
        assert self._journal
        return undo.call_for(self._journal)

    def take(self, outcome: FileOutcome) -> None:
        """Write a file, or hold it back until `finish` if it is all files or none."""
        if not self._manner.write:
            return
        if self._manner.atomic:
            self._held.append(outcome)
        elif outcome.is_changed and not outcome.refusal:
            self._put(outcome)

    def finish(self, *, complete: bool) -> None:
        """Write what was held and run the checks of all; `complete`: the run was not cut short."""
        failure = "" if complete else "rolled back: the run was cut short before it was checked"
        try:
            if self._manner.atomic:
                failure = self._put_held(complete)
            failure = failure or self._failure_of_all() or self._failure_to_commit()
        except BaseException:  # a check that was interrupted has not passed
            failure = "rolled back: interrupted"
            raise
        finally:
            if failure:
                self._take_back_all(failure)
            if self._journal:
                self._journal.settle()

    def _put_held(self, complete: bool) -> str:
        if not complete or any(o.refusal or o.is_flawed for o in self._held):
            return _NOT_ALL
        for outcome in self._held:
            if outcome.is_changed:
                self._put(outcome)
            if outcome.refusal:
                return _NOT_ALL
        return ""

    def _put(self, outcome: FileOutcome) -> None:
        file, name = outcome.file, outcome.file.name
        raw = files.encoded(file, outcome.text)
        begun = [(c, c.begin(name)) for c in self._manner.checks if c.is_per_file]
        self._begin_checks_of_all()
        try:
            run = self._journal = self._journal or journal.begin()
            entry = run.record(file.target, file.raw, raw)
        except Stop as refusal:
            outcome.refusal = str(refusal)
            return
        try:
            files.write(file, raw, run.name)
        except Stop as refusal:
            run.drop(entry)
            outcome.refusal = str(refusal)
            return
        outcome.written = True
        self._unsealed.append(outcome)
        failed = next(((c, why) for c, failure in begun if (why := failure())), None)
        if failed:
            check, why = failed
            self._take_back(run, entry, outcome)
            _refuse(outcome, f"rolled back: {why}{check.excuse(name)}")
        elif not self.is_deferred and (why := self._failure_to_commit()):
            self._take_back_all(why)

    def _begin_checks_of_all(self) -> None:
        if self._journal is None:
            checks = [check for check in self._manner.checks if not check.is_per_file]
            self._checks_of_all = [(check, check.begin()) for check in checks]

    def _failure_of_all(self) -> str:
        if not any(outcome.written for outcome in self._unsealed):
            return ""
        for check, failure in self._checks_of_all:
            if why := failure():
                self._take_back_all("")
                return f"rolled back: {why}{check.excuse()}"
        return ""

    def _failure_to_commit(self) -> str:
        if self._journal and self._unsealed:
            try:
                self._journal.commit()
            except Stop as refusal:
                return f"rolled back: {refusal}"
            self._unsealed.clear()
        return ""

    def _take_back(self, run: Journal, entry: Entry, outcome: FileOutcome) -> None:
        refusals = recovery.put_back(run, [entry])
        if refusals:
            outcome.refusal = refusals[entry.path]
            return
        run.drop(entry)
        outcome.written = False
        self._unsealed.remove(outcome)

    def _take_back_all(self, failure: str) -> None:
        """Take back what is not committed; a file that changed since stays, and is named."""
        refusals = recovery.roll_back(self._journal) if self._journal else {}
        for outcome in self._unsealed:
            outcome.refusal = refusals.get(str(outcome.file.target), outcome.refusal)
            outcome.written = outcome.written and str(outcome.file.target) in refusals
        if failure:
            for outcome in self._held or self._unsealed:
                if outcome.is_changed:
                    _refuse(outcome, failure)


def _refuse(outcome: FileOutcome, failure: str) -> None:
    if not outcome.refusal:  # else it could not even be rolled back
        outcome.refusal = f"{outcome.file.name}: {failure}"
