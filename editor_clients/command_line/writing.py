"""Write the edited files: each for itself, or all or none; only what passes its check stays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from editor_clients.command_line import files, git, journal
from editor_clients.command_line.checks import CheckCommand
from editor_clients.command_line.exits import Exit, Stop
from editor_clients.command_line.files import UserFile
from editor_clients.command_line.journal import Journal
from editor_clients.command_line.outcomes import FileOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to write."""

    write: bool = False
    atomic: bool = False  # all files or none
    allow_dirty: bool = False
    check: CheckCommand | None = None

    def __post_init__(self) -> None:
        for name, value in (("--atomic", self.atomic), ("--check-cmd", self.check)):
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
    """Writes files, keeps a journal of them, and takes back what fails its check."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._journal: Journal | None = None
        self._held: list[FileOutcome] = []
        self._written: list[FileOutcome] = []

    @property
    def is_deferred(self) -> bool:
        """Whether a file's fate is open until all are done."""
        check = self._manner.check
        return self._manner.atomic or (check is not None and not check.is_per_file)

    @property
    def journal(self) -> str:
        """The name `diffill undo` takes; "" if nothing was written."""
        return self._journal.name if self._journal else ""

    def take(self, outcome: FileOutcome) -> None:
        """Write a file, or hold it back until `finish` if it is all files or none."""
        if not self._manner.write:
            return
        if self._manner.atomic:
            self._held.append(outcome)
        elif outcome.is_changed and not outcome.refusal:
            self._put(outcome)

    def finish(self, *, complete: bool) -> None:
        """Write what was held, run a check of all; `complete` is False if the run was cut short."""
        if self._held:
            self._put_all(complete)
        check = self._manner.check
        if check is None or check.is_per_file or not self._written:
            return
        checked = list(self._written)
        failure = "the run was cut short before the check"
        try:
            failure = check.failure() if complete else failure
        finally:  # a check that was interrupted has not passed
            if failure:
                self._take_back_all()
        if failure:
            failure += _also(check.failure()) if complete else ""
            for outcome in checked:
                _refuse(outcome, failure)

    def _put_all(self, complete: bool) -> None:
        bad = not complete or any(o.refusal or o.is_flawed for o in self._held)
        changed = [outcome for outcome in self._held if outcome.is_changed]
        try:
            for outcome in [] if bad else changed:
                self._put(outcome)
                if outcome.refusal:
                    bad = True
                    break
        except BaseException:
            self._take_back_all()
            raise
        if bad:
            self._take_back_all()
            for outcome in changed:
                outcome.refusal = outcome.refusal or (
                    f"{outcome.file.name}: not written, for not every edit succeeded (--atomic)"
                )

    def _put(self, outcome: FileOutcome) -> None:
        file, check = outcome.file, self._manner.check
        raw = files.encoded(file, outcome.text)
        try:
            if self._journal is None:
                self._journal = journal.begin()
            self._journal.record(file.target, file.raw, raw)
            files.write(file, raw, self._journal.name)
        except Stop as refusal:
            outcome.refusal = str(refusal)
            return
        outcome.written = True
        self._written.append(outcome)
        if check is None or not check.is_per_file:
            return
        failure = "interrupted"
        try:
            failure = check.failure(file.name)
        finally:
            if failure:
                self._take_back(outcome)
        if failure:
            _refuse(outcome, failure + _also(check.failure(file.name)))

    def _take_back(self, outcome: FileOutcome) -> None:
        file = outcome.file
        new = UserFile(file.name, file.target, files.encoded(file, outcome.text), outcome.text)
        files.write(new, file.raw, self.journal)
        outcome.written = False
        self._written.remove(outcome)

    def _take_back_all(self) -> None:
        """Take back every file; one that changed since stays, and is named."""
        for outcome in reversed(self._written[:]):
            try:
                self._take_back(outcome)
            except Stop as refusal:
                outcome.refusal = str(refusal)


def _refuse(outcome: FileOutcome, failure: str) -> None:
    if not outcome.refusal:  # else it could not even be rolled back
        outcome.refusal = f"{outcome.file.name}: rolled back: {failure}"


def _also(failure: str) -> str:
    return "\n    (it fails without the edit, too)" if failure else ""
