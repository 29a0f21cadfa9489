import threading

import pytest
import tiny

from engine.causal import NoDraft, Strand
from engine.config import EFFORTS, Decoding
from engine.control import Control
from engine.fill import Filler
from engine.passes import Passes
from engine.prefix_cache import PrefixCache
from engine.protocol import Effort
from engine.stopping import HoleShape
from engine.tries import Ask


class Counting:
    """A model that counts its passes and what goes through each; the first waits to be let go."""

    def __init__(self, model):
        self._model, self.passes = model, []
        self.logits = model.logits

    def decode_each(self, runs, *, adapted=False):
        self.passes.append((len(runs), adapted))
        return self._model.decode_each(runs, adapted=adapted)


def strand_of(model, ids):
    return Strand(PrefixCache(model).encoded(ids[:-1], 200, Control()), ids[-1:], NoDraft())


def tokens_of(passes, strand, count, *, adapted=False):
    steps = passes.decode(strand, adapted=adapted)
    return [next(steps).tokens[0] for _ in range(count)]


def in_threads(*works):
    """Do all at once; raise what any of them raised."""
    errors = []

    def guarded(work):
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for error in errors:
        raise error


def in_company(passes, good, count, bad, error):
    """Decode tokens of a strand, beside another that ends with an error; return the former's."""
    found, ready = [], threading.Barrier(2)

    def decode():
        with passes.joined(Control()):
            ready.wait(60)
            found.extend(tokens_of(passes, good, count))

    def fail():
        with passes.joined(Control()):
            ready.wait(60)
            with pytest.raises(error):
                passes.advance([bad])

    in_threads(decode, fail)
    return found


PROMPTS = [[100 + i, 101, 32 + i, 40, 41 + i, 58, 10] * (i + 1) for i in range(4)]


def test_threads_decode_what_each_would_alone_in_fewer_passes(reference):
    model = tiny.transformer(reference())
    alone = [tokens_of(Passes(model), strand_of(model, p), 30) for p in PROMPTS]
    counting = Counting(model)
    passes, found = Passes(counting), {}
    ready = threading.Barrier(len(PROMPTS))

    def decode(number):
        strand = strand_of(model, PROMPTS[number])
        with passes.joined(Control()):
            ready.wait(60)
            found[number] = tokens_of(passes, strand, 30)

    in_threads(*[lambda n=n: decode(n) for n in range(len(PROMPTS))])
    assert [found[n] for n in range(len(PROMPTS))] == alone
    assert sum(size for size, _ in counting.passes) == 4 * 30
    assert len(counting.passes) < 2 * 30


def test_who_has_left_is_not_waited_for(reference):
    model = tiny.transformer(reference())
    passes = Passes(model)
    with passes.joined(Control()), passes.joined(Control()):
        pass
    assert passes._is_complete() and not passes._company


def test_who_is_held_is_not_waited_for_and_goes_on_as_alone(reference, monkeypatch):
    model = tiny.transformer(reference())
    alone = [tokens_of(Passes(model), strand_of(model, p), 10) for p in PROMPTS[:2]]
    strands = [strand_of(model, p) for p in PROMPTS[:2]]
    counting, slow, found = Counting(model), Control(), {}
    passes = Passes(counting)
    monkeypatch.setattr("engine.passes.PATIENCE_S", 600.0)  # who waits for it, hangs

    def hold():
        with passes.joined(slow):
            found[0] = tokens_of(passes, strands[0], 5)
            slow.hold()
            is_held.set()
            slow.check()
            found[0] += next(passes.decode(strands[0])).tokens
        found[0] += tokens_of(passes, strands[0], 4)

    def go_before():
        is_held.wait(60)
        while not slow.is_waiting:
            pass
        with passes.joined(Control()):
            found[1] = tokens_of(passes, strands[1], 10)
        slow.hold(False)

    is_held = threading.Event()
    in_threads(hold, go_before)
    assert [found[0], found[1]] == alone
    assert {size for size, _ in counting.passes} == {1}


def test_an_error_in_a_pass_reaches_who_asked_and_the_next_pass_works(reference):
    model = tiny.transformer(reference())

    class Failing(Counting):
        def decode_each(self, runs, *, adapted=False):
            if len(runs) == 2:
                raise MemoryError("no room")
            return super().decode_each(runs, adapted=adapted)

    passes = Passes(Failing(model))
    both = [strand_of(model, p) for p in PROMPTS[:2]]
    with pytest.raises(MemoryError):
        passes.advance(both)
    assert passes.advance([strand_of(model, PROMPTS[0])])[0] is not None


def test_who_makes_a_pass_fail_is_the_only_one_to_hear_of_it(reference, monkeypatch):
    model = tiny.transformer(reference())
    alone = tokens_of(Passes(model), strand_of(model, PROMPTS[0]), 5)
    good, bad = (strand_of(model, p) for p in PROMPTS[:2])

    class Failing(Counting):
        def decode_each(self, runs, *, adapted=False):
            hidden = super().decode_each(runs, adapted=adapted)
            if any(cache is bad.cache for _, cache in runs):
                raise MemoryError("no room")
            return hidden

    counting = Failing(model)
    monkeypatch.setattr("engine.passes.PATIENCE_S", 60.0)
    assert in_company(Passes(counting), good, 5, bad, MemoryError) == alone
    assert counting.passes[0] == (2, False)


def test_who_cannot_pick_a_token_is_the_only_one_to_hear_of_it(reference, monkeypatch):
    model = tiny.transformer(reference())
    alone = tokens_of(Passes(model), strand_of(model, PROMPTS[0]), 1)
    good, bad = (strand_of(model, p) for p in PROMPTS[:2])
    monkeypatch.setattr(bad, "_pick", lambda logits: [].pop())
    counting = Counting(model)
    monkeypatch.setattr("engine.passes.PATIENCE_S", 60.0)
    assert in_company(Passes(counting), good, 1, bad, IndexError) == alone
    assert counting.passes == [(2, False)]


def test_a_thread_that_cannot_compute_is_everybodys_fault(reference, monkeypatch):
    model = tiny.transformer(reference())
    strands = [strand_of(model, p) for p in PROMPTS[:2]]
    passes, ready = Passes(model), threading.Barrier(2)

    def broken(work):
        raise RuntimeError("no thread")

    def fail(number):
        with passes.joined(Control()):
            ready.wait(60)
            with pytest.raises(RuntimeError, match="no thread"):
                passes.advance([strands[number]])

    monkeypatch.setattr("engine.passes.compute", broken)
    monkeypatch.setattr("engine.passes.PATIENCE_S", 60.0)
    in_threads(*[lambda n=n: fail(n) for n in range(2)])


def test_requests_in_threads_share_contexts_and_passes(reference):
    """Fills at the same time are the fills one after the other."""
    model = tiny.transformer(reference(seed=1))
    shapes = [HoleShape("value = one\n" * n, "value = two\n") for n in (3, 40, 41, 42)]

    def fills(filler, shape):
        tries = filler.tries(shape, Ask(EFFORTS[Effort.QUICK], 24), Control())
        return [next(tries).text for _ in range(2)]

    def filler():
        contexts = PrefixCache(model)
        return Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.VERIFIED, contexts)

    one = filler()
    expected = [fills(one, shape) for shape in shapes] * 3
    shared, found = filler(), {}
    in_threads(
        *[
            lambda n=n: found.__setitem__(n, [fills(shared, shapes[n]) for _ in range(3)])
            for n in range(len(shapes))
        ]
    )
    assert [found[n][i] for i in range(3) for n in range(len(shapes))] == expected


def test_a_request_whose_draft_is_judged_is_not_waited_for(reference):
    model = tiny.transformer(reference(seed=1))
    filler = Filler(model, tiny.tokenizer(), tiny.FAMILY, Decoding.VERIFIED, PrefixCache(model))
    tries = filler.tries(HoleShape("a", "b"), Ask(EFFORTS[Effort.QUICK], 4, wanted=2), Control())
    for _ in range(4):
        next(tries)
        assert not filler._passes._company
