"""What the parts of the suite share: the options, the model, the peers and the report."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from engine.catalogue import LocalModel
from engine.evaluation.cases import Case
from engine.family import Family
from engine.model import Transformer
from engine.tokenizer import Tokenizer
from tests.benchmarks.contenders import AbsentError, Contender, Diffill, PeerProcess
from tests.benchmarks.floor import Floor
from tests.benchmarks.report import Report
from tests.benchmarks.samples import Sample

_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
# Not counted: memory is touched, threads are started.
_FIRST = Case("", "first", "", "def half(x):\n    return ", "\n", "x / 2", "python", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured; `lengths` and `holes` are tokens."""

    files: tuple[Path, ...] = ()
    cases: int = 10  # of each kind
    runs: int = 3
    starts: int = 5
    contexts: tuple[int, ...] = (256, 1024, 2048)
    holes: tuple[int, ...] = (8, 32, 128)
    passes: tuple[int, ...] = (1, 2, 4, 8, 16, 32)

    def quick(self) -> Options:
        """Return the same in a tenth of the time: enough to see that all of it works."""
        return replace(
            self,
            cases=1,
            runs=1,
            starts=1,
            contexts=(64, 256),
            holes=(8,),
            passes=(1, 8),
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model in this process: its tokens, its floors, its bare passes."""

    local: LocalModel
    model: Transformer
    tokenizer: Tokenizer
    family: Family
    floor: Floor


@dataclass
class Suite:
    """A run: the parts add samples to the report; `tell` says how far it is."""

    options: Options
    report: Report
    tell: Callable[[str], None] = lambda message: None
    peers: list[PeerProcess] = field(default_factory=list[PeerProcess])
    command: Sequence[str] = field(default_factory=list[str])  # of another engine than the model's

    def engine(self, loaded: Loaded, *, keeps_contexts: bool) -> Diffill:
        """Return the engine, not yet started."""
        path = str(loaded.local.path)
        return Diffill(path, keeps_contexts=keeps_contexts, command=self.command)

    @asynccontextmanager
    async def contenders(
        self, what: str, loaded: Loaded, *, keeps_contexts: bool
    ) -> AsyncIterator[list[Contender]]:
        """Start a new engine beside the peers; its peak of memory is noted at the end."""
        engine = self.engine(loaded, keeps_contexts=keeps_contexts)
        everyone: list[Contender] = [engine, *self.peers]
        try:
            await self.ask(lambda who: who.fill(_FIRST, keep=keeps_contexts), everyone)
            yield everyone
            self.report.note_peak(what, engine.name, engine.peak_mb())
        finally:
            await engine.close()

    async def ask(
        self, question: Callable[[_Asked], Awaitable[_Answer]], everyone: list[_Asked]
    ) -> list[tuple[_Asked, _Answer]]:
        """Return each contender with its answer; a peer that fails is left out from then on."""
        answers: list[tuple[_Asked, _Answer]] = []
        for contender in list(everyone):
            try:
                answers.append((contender, await question(contender)))
            except AbsentError as error:
                self.report.absent.append(str(error))
                everyone.remove(contender)
                self.peers = [peer for peer in self.peers if peer is not contender]
        return answers

    def add(self, **fields: object) -> None:
        """Add a sample to the report."""
        self.report.samples.append(Sample(**fields))  # type: ignore[arg-type]


def settings(options: Options) -> Mapping[str, object]:
    """Return the options as plain JSON values."""
    return {
        "files": [path.name for path in options.files],
        "cases": options.cases,
        "runs": options.runs,
        "contexts": list(options.contexts),
        "holes": list(options.holes),
    }
