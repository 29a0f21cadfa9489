import asyncio

import pytest

from lsp_server.completions import MAX_REMEMBERED, Completions
from lsp_server.failures import Replaced
from lsp_server.typing_pace import TypingPace

URI = "file:///a.py"


def made(*texts, invoked=False, prefix="x = ", suffix="\n"):
    completions = Completions()
    completions.remember(URI, prefix, suffix, texts, invoked=invoked)
    return completions


def find(completions, prefix="x = ", suffix="\n", uri=URI, invoked=False):
    return completions.find(uri, prefix, suffix, invoked=invoked)


def test_what_was_made_here_is_found_again():
    assert find(made("one", "two")) == ("one", "two")
    assert find(made()) == ()


def test_elsewhere_nothing_is_known():
    completions = made("one")
    assert find(completions, uri="file:///b.py") is None
    assert find(completions, suffix=")\n") is None
    assert find(completions, prefix="y = ") is None
    assert find(completions, prefix="x =") is None


def test_of_what_was_typed_since_the_rest_is_left():
    completions = made("one + two", "other")
    assert find(completions, prefix="x = o") == ("ne + two", "ther")
    assert find(completions, prefix="x = one") == (" + two",)
    assert find(completions, prefix="x = one + two") is None, "typed to its end: time to ask again"
    assert find(completions, prefix="x = a") is None
    assert find(made(), prefix="x = o") is None


def test_haste_is_no_answer_to_a_user_who_asks():
    assert find(made("one"), invoked=True) is None
    assert find(made("one", invoked=True), invoked=True) == ("one",)
    assert find(made("one", invoked=True)) == ("one",)


def test_the_oldest_is_forgotten():
    completions = Completions()
    for number in range(MAX_REMEMBERED + 1):
        completions.remember(URI, f"{number} = ", "", ("a",), invoked=False)
    assert find(completions, "0 = ", "") is None
    assert find(completions, "1 = ", "") == ("a",)


@pytest.mark.parametrize(
    ("older", "newer", "replaced"),
    [(False, False, True), (False, True, True), (True, True, True), (True, False, False)],
)
async def test_the_newest_request_of_a_document_replaces_all_but_those_asked_for(
    older, newer, replaced
):
    completions = Completions()
    ended = asyncio.Event()

    async def work(uri, invoked):
        with completions.newest(uri, invoked=invoked):
            await ended.wait()

    first, other, second = (
        asyncio.create_task(work(uri, invoked))
        for uri, invoked in (("a", older), ("b", older), ("a", newer))
    )
    if replaced:
        with pytest.raises(Replaced):
            await first
    ended.set()
    await asyncio.gather(other, second, *([] if replaced else [first]))


async def test_who_is_cancelled_is_not_replaced():
    completions = Completions()

    async def work():
        with completions.newest("a", invoked=True):
            began.set()
            await asyncio.Event().wait()

    began = asyncio.Event()
    task = asyncio.create_task(work())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_the_wait_follows_the_typing_and_never_exceeds_the_setting():
    now = [0.0]
    pace = TypingPace(clock=lambda: now[0])
    assert pace.wait_s(200) == 0.2, "nothing is known yet"
    for _ in range(50):
        now[0] += 0.04
        quick = pace.wait_s(200)
    assert abs(quick - 0.06) < 1e-6
    now[0] += 60
    assert abs(pace.wait_s(200) - quick) < 1e-6, "a pause is no rhythm"
    for _ in range(50):
        now[0] += 0.5
        slow = pace.wait_s(200)
    assert slow == 0.2
    assert pace.wait_s(0) == 0
