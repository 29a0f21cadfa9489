from concurrent.futures import Future

from lsprotocol import types as lsp

from engine.client import EngineStatus
from engine.protocol import Frame, FrameToken, TokenState
from lsp_server.progress import Progress


class Client:
    def __init__(self):
        self.sent = []
        self.asked = Future()

    def window_work_done_progress_create(self, params):
        self.token = params.token
        return self.asked

    def progress(self, params):
        value = params.value
        self.sent.append((value.kind, getattr(value, "message", None)))


def frame(done, of=4):
    states = [TokenState.COMMITTED] * done + [TokenState.MASKED] * (of - done)
    return Frame(0, 0, tuple(FrameToken("x", state, 1.0) for state in states))


def test_frames_are_reported_ten_times_a_second_at_most():
    client, now = Client(), [0.0]
    with Progress(client, "t", "token", may_create=False, clock=lambda: now[0]) as progress:
        for step in range(100):
            now[0] = step / 64  # steps of 1/64 s: one in seven is 0.1 s behind the last one
            progress.on_frame(frame(1))
    assert client.sent[0] == ("begin", None)
    assert client.sent[-1] == ("end", None)
    assert client.sent[1:-1] == [("report", "1 of 4 tokens")] * 15


def test_the_percentage_never_falls():
    seen = []
    client, now = Client(), iter(range(100))
    client.progress = lambda params: seen.append(getattr(params.value, "percentage", None))
    with Progress(client, "t", "token", may_create=False, clock=lambda: next(now)) as progress:
        for done in (2, 1, 3):
            progress.on_frame(frame(done))
    assert seen == [0, 50, 50, 75, None]


def test_loading_is_reported():
    client = Client()
    with Progress(client, "t", 0, may_create=False) as progress:
        progress.on_status(EngineStatus("loading", "reading the model", 0.25))
        progress.on_status(EngineStatus("ready", "ready", None))
    assert client.sent[1:-1] == [("report", "reading the model (25%)")]


def test_the_first_step_takes_the_place_of_loading():
    client = Client()
    with Progress(client, "t", 0, may_create=False, clock=lambda: 0.0) as progress:
        progress.on_status(EngineStatus("loading", "reading the model", 1.0))
        progress.on_frame(frame(1))
    assert client.sent[1:-1] == [
        ("report", "reading the model (100%)"),
        ("report", "1 of 4 tokens"),
    ]


def test_a_progress_of_our_own_starts_when_the_client_has_made_it():
    client = Client()
    with Progress(client, "t", None, may_create=True) as progress:
        progress.on_frame(frame(1))
        assert client.sent == []
        client.asked.set_result(None)
        assert client.token == progress.token
    assert client.sent == [("begin", None), ("end", None)]


def test_a_client_that_refuses_or_answers_late_sees_nothing():
    refusing, late = Client(), Client()
    with Progress(refusing, "t", None, may_create=True) as progress:
        refusing.asked.set_exception(RuntimeError("no"))
        progress.on_frame(frame(1))
    with Progress(late, "t", None, may_create=True):
        pass
    late.asked.set_result(None)
    assert refusing.sent == late.sent == []


def test_without_token_or_ability_nothing_is_asked_for():
    client = Client()
    with Progress(client, "t", None, may_create=False) as progress:
        assert not progress.wanted
        progress.on_frame(frame(1))
    assert not hasattr(client, "token")


def test_a_progress_is_cancellable():
    seen = []
    client = Client()
    client.progress = lambda params: seen.append(params.value)
    with Progress(client, "t", "token", may_create=False):
        pass
    assert seen[0] == lsp.WorkDoneProgressBegin("t", cancellable=True, percentage=0)
