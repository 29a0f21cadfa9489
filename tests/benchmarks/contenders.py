"""The engines as the suite sees them: each in a process of its own, asked over a pipe."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.client import EngineProcess, engine_command
from engine.evaluation.cases import Case
from engine.evaluation.edits import EditTask
from engine.family import Family
from engine.protocol import EditRequest
from engine.tokenizer import Tokenizer
from tests.benchmarks.cases import fill_request
from tests.benchmarks.prompts import MAX_TOKENS, Prompt, edit_prompt, fill_prompt
from tests.benchmarks.samples import BASELINE

ROOT = Path(__file__).parents[2]
_DEADLINE_S = 600.0  # a slow machine is measured, too


class AbsentError(Exception):
    """Something that is to be measured is not there; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The text that ends in the buffer, none if it is refused, and what it took."""

    text: str
    seconds: float
    forward_calls: int = 0  # of these, `steps` decode; only Diffill tells
    steps: int = 0


class Contender(Protocol):
    """Whoever fills and rewrites; `keep` leaves the context for the next request."""

    name: str

    async def fill(self, case: Case, *, keep: bool) -> Answer:
        """Fill a hole."""
        ...

    async def rewrite(self, task: EditTask) -> Answer:
        """Rewrite by instruction."""
        ...

    def peak_mb(self) -> float:
        """Return the most memory that its process has taken."""
        ...

    async def close(self) -> None:
        """End its process."""
        ...


class Diffill:
    """The engine process, as every client starts it, with or without room for contexts."""

    name = BASELINE

    def __init__(self, model: str, *, keeps_contexts: bool, command: Sequence[str] = ()) -> None:
        command = command or engine_command(model)
        room = () if keeps_contexts else ("env", "DIFFILL_CONTEXT_MB=0")
        self._engine = EngineProcess(command=[*room, *command])

    async def fill(self, case: Case, *, keep: bool) -> Answer:
        """Fill a hole; whether the context is kept was said at the start."""
        return await self._ask(fill_request(case, _DEADLINE_S, MAX_TOKENS))

    async def rewrite(self, task: EditTask) -> Answer:
        """Rewrite by instruction."""
        return await self._ask(
            EditRequest(
                text=task.text,
                spans=(task.span,),
                language=task.language,
                instruction=task.instruction,
                deadline_s=_DEADLINE_S,
            )
        )

    async def _ask(self, request: EditRequest) -> Answer:
        began = time.perf_counter()
        result = await self._engine.edit(request)
        took = time.perf_counter() - began
        best, stats = result.best, result.stats
        text = best.replacements[0].text if best.verdict.ok else ""
        return Answer(text, took, stats.forward_calls, stats.steps)

    def peak_mb(self) -> float:
        """Return the most memory that the engine has taken."""
        child = self._engine._child
        return memory_mb(child.process.pid, "VmHWM") if child else 0.0

    async def close(self) -> None:
        """End it."""
        await self._engine.close()


class PeerProcess:
    """One of `peer.PEERS`, asked with the tokens that Diffill's engine would read."""

    def __init__(
        self, name: str, process: asyncio.subprocess.Process, tokenizer: Tokenizer, family: Family
    ) -> None:
        self.name, self.about = name, ""
        self._process, self._tokenizer, self._family = process, tokenizer, family

    @classmethod
    async def start(
        cls, name: str, model: Path, threads: int, tokenizer: Tokenizer, family: Family
    ) -> PeerProcess:
        """Start a peer and wait until it is ready.

        Raises:
            AbsentError: if it, or what it needs, is not there.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.peer", name, str(model), str(threads)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # they tell much
            limit=1 << 24,
            cwd=ROOT,
        )
        peer = cls(name, process, tokenizer, family)
        peer.about = (await peer._answer())["about"]
        return peer

    async def fill(self, case: Case, *, keep: bool) -> Answer:
        """Fill a hole."""
        return await self._ask(fill_prompt(self._tokenizer, self._family, case), keep)

    async def rewrite(self, task: EditTask) -> Answer:
        """Rewrite by instruction."""
        return await self._ask(edit_prompt(self._tokenizer, self._family, task), keep=False)

    async def _ask(self, prompt: Prompt, keep: bool) -> Answer:
        text, took = await self.generate(prompt.ids, prompt.max_tokens, prompt.stop, keep)
        return Answer(prompt.read(text), took)

    async def generate(
        self, ids: Sequence[int], max_tokens: int, stop: Any, keep: bool
    ) -> tuple[str, float]:
        """Return the text that follows some tokens, and the seconds it took."""
        request = {"ids": list(ids), "max_tokens": max_tokens, "stop": stop, "keep": keep}
        assert self._process.stdin
        began = time.perf_counter()
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        said = await self._answer()
        return said["text"], time.perf_counter() - began

    async def _answer(self) -> Any:
        assert self._process.stdout
        line = await self._process.stdout.readline()
        said = json.loads(line) if line else {"absent": f"{self.name} ended unexpectedly"}
        if absent := said.get("absent"):
            await self._process.wait()
            raise AbsentError(absent)
        return said

    def peak_mb(self) -> float:
        """Return the most memory that it has taken."""
        return memory_mb(self._process.pid, "VmHWM")

    async def close(self) -> None:
        """End it."""
        if self._process.returncode is None:
            self._process.kill()  # it keeps nothing
        await self._process.wait()


def memory_mb(pid: int, field: str) -> float:
    """Return a field of a process's status, as VmRSS or VmHWM; 0 where the system tells none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = (line.split()[1] for line in status.splitlines() if line.startswith(f"{field}:"))
    return int(next(found, 0)) / 1024
