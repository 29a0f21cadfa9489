"""What tokens cost, without an engine about the model: contexts, holes one token a pass, passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from engine.causal import NoDraft, Strand
from engine.control import Control
from engine.passes import Passes
from engine.prefix_cache import PrefixCache
from tests.benchmarks.contenders import PeerProcess
from tests.benchmarks.prompts import TO_THE_LIMIT
from tests.benchmarks.samples import BASELINE
from tests.benchmarks.suite import Loaded, Suite

_KNOWN = 512  # tokens, in front of the passes


async def lengths(suite: Suite, loaded: Loaded) -> None:
    """Encode contexts up to the first token behind them, then decode holes behind each.

    Every engine makes as many tokens as the hole has, whatever they are.
    """
    options = suite.options
    for run in range(options.runs):
        for place, context in enumerate(options.contexts):
            suite.tell(f"lengths, run {run + 1} of {options.runs}: {context} tokens of context")
            # Another first token each time: nothing that an engine keeps begins like it.
            ids = _ids(loaded, context, start=run * len(options.contexts) + place)
            own = _OneByOne(loaded, ids, max(options.holes))
            # The first time, the context and one token; it is kept for the holes behind it.
            for hole in (None, *options.holes):
                await _one_length(suite, loaded, ids, own, run, hole)


async def _one_length(
    suite: Suite, loaded: Loaded, ids: list[int], own: _OneByOne, run: int, hole: int | None
) -> None:
    """Decode a hole on every engine; None: the context, and the first token behind it."""
    known, count = len(ids), hole or 1
    floor = sum(loaded.floor.decoding(known + i, adapted=own.adapted) for i in range(count))
    part, what = "hole", f"{hole} tokens behind {known}"
    if hole is None:
        part, what = "context", f"{known} tokens"
        floor += loaded.floor.context(known)
    kind = {"part": part, "what": what, "case": "", "run": run, "tokens": hole}
    suite.add(**kind, engine=BASELINE, seconds=own.seconds(count), floor_s=floor)
    for peer, took in await suite.ask(partial(_generate, ids, count), suite.peers):
        suite.add(**kind, engine=peer.name, seconds=took)


async def passes(suite: Suite, loaded: Loaded) -> None:
    """Time single passes that decode several tokens, as a drafted run is checked."""
    model, most = loaded.model, max(suite.options.passes)
    ids = _ids(loaded, _KNOWN + most)
    cache = PrefixCache(model, 0).encoded(ids[:_KNOWN], _KNOWN + most, Control())
    for count in suite.options.passes:
        suite.tell(f"passes: {count} tokens")
        tokens = ids[_KNOWN : _KNOWN + count]
        floor = loaded.floor.decoding(_KNOWN, count, adapted=model.has_adapter)
        for run in range(-1, 2 * suite.options.runs + 1):
            took = _timed(
                lambda tokens=tokens: model.logits(
                    model.decode(tokens, cache, adapted=model.has_adapter)
                )
            )
            if run >= 0:  # the first one is not counted
                suite.add(
                    part="pass",
                    what=f"{count} tokens behind {_KNOWN}",
                    case="",
                    run=run,
                    engine=BASELINE,
                    seconds=took,
                    floor_s=floor,
                )


async def _generate(ids: list[int], hole: int, peer: PeerProcess) -> float:
    _, took = await peer.generate(ids, hole, TO_THE_LIMIT, True)
    return took


class _OneByOne:
    """Diffill's model in this process, as a fill in sequential mode runs it."""

    def __init__(self, loaded: Loaded, ids: list[int], longest: int) -> None:
        self._model, self._ids = loaded.model, ids
        self._contexts = PrefixCache(self._model)
        self._room = len(ids) + longest + 1
        self.adapted = self._model.has_adapter

    def seconds(self, num_tokens: int) -> float:
        """Return what some tokens take behind the context, which is encoded the first time."""
        return _timed(lambda: self._run(num_tokens))

    def _run(self, num_tokens: int) -> None:
        cache = self._contexts.encoded(self._ids[:-1], self._room, Control())
        strand = Strand(cache, self._ids[-1:], NoDraft())
        steps = Passes(self._model).decode(strand, adapted=self.adapted)
        for _ in range(num_tokens):
            next(steps)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ids(loaded: Loaded, count: int, start: int = 0) -> list[int]:
    """Return tokens that are text, no two neighbours alike."""
    ordinary = loaded.tokenizer.ordinary()
    return [ordinary[(start + 7 * i) % len(ordinary)] for i in range(count)]
