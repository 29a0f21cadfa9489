"""A remote as the model: asked in its own words, judged here."""

import threading
from dataclasses import replace

import pytest
from model_server import server, text

from engine.config import EFFORTS
from engine.control import Control
from engine.edit import Editor
from engine.editors import at_once_of
from engine.errors import (
    Busy,
    Cancelled,
    ConfigError,
    DeadlineExceeded,
    EngineError,
    EngineUnavailable,
)
from engine.place import residence_of
from engine.protocol import EditRequest, Effort
from engine.remote_filler import RemoteFiller
from engine.remotes import Kind, Remote, remote_of
from grammars.span import Span

DEADLINE_S = 30.0
TEXT = "def double(x):\n    return \n"
AT = TEXT.index("\n", 15)
REQUEST = EditRequest(text=TEXT, spans=(Span(AT, AT),), language="python", max_tokens=32, seed=7)


def remote(running, kind=Kind.OPENAI, **options):
    url = f"http://127.0.0.1:{running.server_port}/v1"
    return Remote(**{"name": "there", "kind": kind, "url": url} | options)


def edit(running, request=REQUEST, **options):
    editor = Editor(RemoteFiller(remote(running, **options)))
    return editor.edit(request, Control(DEADLINE_S))


@pytest.mark.parametrize(
    ("kind", "answer", "path", "sides"),
    [
        (
            Kind.LLAMA_CPP,
            {"content": "2 * x", "tokens_predicted": 3},
            "/v1/infill",
            {"input_prefix": TEXT[:AT], "input_suffix": "\n", "prompt": "", "n_predict": 32},
        ),
        (
            Kind.OPENAI,
            {"choices": [{"text": "2 * x"}], "usage": {"completion_tokens": 3}},
            "/v1/completions",
            {"prompt": TEXT[:AT], "suffix": "\n", "max_tokens": 32},
        ),
        (
            Kind.MERCURY,
            {"choices": [{"message": {"content": "2 * x"}}], "usage": {"completion_tokens": 3}},
            "/v1/fim/completions",
            {"prompt": TEXT[:AT], "suffix": "\n", "max_tokens": 32},
        ),
    ],
)
def test_each_kind_is_asked_in_its_words(kind, answer, path, sides, monkeypatch):
    monkeypatch.setenv("THERE_KEY", "secret")
    with server((200, {}, answer)) as running:
        result = edit(running, kind=kind, model="big", key_env="THERE_KEY")
        [(asked, headers, body)] = running.asked
    assert result.best.verdict.ok and result.best.verdict.checked
    assert result.best.replacements[0].text == "2 * x"
    assert (result.stats.tokens, result.stats.forward_calls) == (3, 1)
    assert (asked, headers["authorization"]) == (path, "Bearer secret")
    assert sides.items() <= body.items()
    assert (body["model"], body["temperature"], body["seed"]) == ("big", 0, 7)


def test_without_a_key_none_is_sent():
    with server(text("2 * x")) as running:
        edit(running)
        assert "authorization" not in running.asked[0][1]


def test_what_the_parser_refuses_is_answered_by_another_sample():
    with server(text("2 * (x"), text("x + x")) as running:
        result = edit(running, replace(REQUEST, explain=True))
        bodies = [body for _, _, body in running.asked]
    assert result.best.replacements[0].text == "x + x"
    attempts = result.explanation.attempts
    assert list(dict.fromkeys(a.draft for a in attempts)) == [0, 1]
    assert "the likeliest tokens, by the remote there" in {a.how for a in attempts}
    assert [(b["temperature"], b["seed"]) for b in bodies] == [(0, 7), (0.6, 8)]


def test_what_stays_wrong_is_refused_here():
    tries = 1 + EFFORTS[Effort.BALANCED].repair_rounds
    with server(*[text("2 * (x")] * tries) as running:
        result = edit(running)
    assert not result.best.verdict.ok
    assert "syntax error" in result.best.verdict.reasons[0]


def test_a_fill_that_repeats_the_suffix_is_cut():
    request = EditRequest(text=f"{TEXT}print(double(21))\n", spans=REQUEST.spans, language="python")
    with server(text("2 * x\nprint(double(21))\nprint(")) as running:
        assert edit(running, request).best.replacements[0].text == "2 * x"


def test_a_fill_that_is_cut_off_is_answered_by_another_sample():
    request = replace(REQUEST, max_tokens=3)
    with server(text("2 * x\n    # and"), text("x + x\n\n\nx = 1\n")) as running:
        result = edit(running, request)
    assert result.best.replacements[0].text == "x + x"
    with server(*[text("2 * x\n    y = 1\n    # and")] * 3) as running:
        result = edit(running, request)
    assert result.best.replacements[0].text == "2 * x\n    y = 1"
    assert result.stats.forward_calls == 3


def test_a_hole_is_asked_for_from_its_indentation_on():
    hole = "def double(x):\n    pass\n"
    span = Span(hole.index("    pass"), len(hole))
    with server(text("return 2 * x\n")) as running:
        result = edit(running, replace(REQUEST, text=hole, spans=(span,)))
        [(_, _, body)] = running.asked
    assert body["prompt"] == "def double(x):\n    "
    assert result.best.verdict.ok
    assert result.best.replacements[0].text == "    return 2 * x\n"


def test_no_more_of_the_file_is_sent_than_a_model_would_see():
    lines = [f"name_{number} = {number}\n" for number in range(5000)]
    above, below = "".join(lines), "".join(reversed(lines))
    at = len(above)
    hole = Span(at + 4, at + 4)
    request = EditRequest(text=above + "x = \n" + below, spans=(hole,), explain=True)
    with server(text("5")) as running:
        told = edit(running, request).explanation
        [(_, _, body)] = running.asked
    effort = EFFORTS[Effort.BALANCED]
    assert len(body["prompt"]) <= 4 * effort.max_prefix
    assert len(body["suffix"]) <= 4 * effort.max_suffix
    assert [(s.before, s.after) for s in told.sights] == [(body["prompt"], body["suffix"])]
    assert body["prompt"].startswith("name_") and body["suffix"].endswith("\n")


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([(401, {}, {})], ConfigError, "there refuses the key"),
        ([(404, {}, {})], ConfigError, "there is no http://127.0.0.1"),
        (
            [(400, {}, {"error": {"message": "no such\nmodel"}})],
            EngineError,
            "status 400: no such$",
        ),
        ([(302, {"location": "http://127.0.0.1:9"}, b"")], EngineError, "answered with status 302"),
        ([(200, {}, b"<html>")], EngineError, "something else than openai does"),
        ([(200, {}, {"choices": []})], EngineError, "something else than openai does"),
        ([(200, {}, {"choices": [{"text": 5}]})], EngineError, "something else than openai does"),
        ([(200, {}, b"[" * 100_000)], EngineError, "something else than openai does"),
        ([(200, {}, b" " * (5 << 20))], EngineError, "answers without end"),
        ([(503, {"retry-after": "0"}, {})] * 4, Busy, "answered with status 503"),
        (["hang up"] * 4, EngineUnavailable, "cannot be reached"),
    ],
)
def test_a_failure_is_told_in_one_sentence(steps, error, message, monkeypatch):
    monkeypatch.setattr("engine.remote_filler._FIRST_PAUSE_S", 0.001)
    with server(*steps) as running, pytest.raises(error, match=message) as caught:
        edit(running)
    assert type(caught.value) is error
    assert "\n" not in str(caught.value)


def test_what_passes_is_tried_again(monkeypatch):
    monkeypatch.setattr("engine.remote_filler._FIRST_PAUSE_S", 0.001)
    with server("hang up", (502, {}, b""), (429, {}, {}), text("2 * x")) as running:
        assert edit(running).best.replacements[0].text == "2 * x"


def test_a_remote_that_does_not_answer_is_not_waited_for():
    late = pytest.raises(EngineUnavailable, match=r"did not answer within 0\.2 s")
    with server("wait") as running, late:
        edit(running, timeout_s=0.2)


def test_a_deadline_and_a_cancel_hold_while_it_thinks():
    with server("wait", "wait") as running:
        editor = Editor(RemoteFiller(remote(running)))
        with pytest.raises(DeadlineExceeded):
            editor.edit(REQUEST, Control(0.2))
        running.waiting.clear()
        control = Control(DEADLINE_S)
        stopper = threading.Thread(target=lambda: (running.waiting.wait(), control.cancel()))
        stopper.start()
        with pytest.raises(Cancelled):
            editor.edit(REQUEST, control)
        stopper.join()


def test_instructions_are_not_for_remotes():
    request = EditRequest(text=TEXT, spans=(Span(0, 5),), instruction="rename it")
    with server() as running, pytest.raises(ConfigError, match="rewrites nothing by instruction"):
        edit(running, request)


@pytest.fixture
def configured(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFILL_CONFIG", str(tmp_path))

    def write(toml):
        (tmp_path / "remotes.toml").write_text(toml)

    return write


def test_a_remote_is_found_by_its_name(configured, monkeypatch):
    configured('[box]\nkind = "llama.cpp"\nurl = "http://localhost:8080"\ntimeout_s = 5\n')
    wanted = Remote(name="box", kind=Kind.LLAMA_CPP, url="http://localhost:8080", timeout_s=5)
    assert remote_of("remote:box") == wanted
    assert remote_of("box") is None
    monkeypatch.setenv("DIFFILL_MODEL", "remote:box")
    assert remote_of(None) == wanted
    assert at_once_of(None) == 1
    assert remote_of("qwen2.5-coder-0.5b") is None


def test_a_changed_set_up_has_an_engine_of_its_own(configured):
    configured('[box]\nkind = "openai"\nurl = "http://localhost:1/v1"\n')
    first = residence_of("remote:box")
    configured('[box]\nkind = "openai"\nurl = "http://localhost:2/v1"\n')
    second = residence_of("remote:box")
    assert first.identity.name == second.identity.name == "remote-box"
    assert first.place.socket != second.place.socket


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("", "sets up no remote 'box'; it sets up none"),
        ("[other]\n", "sets up no remote 'box'; there: other"),
        ("[box", "is not TOML"),
        ("box = 1", "remote box: not a table"),
        ('[box]\nkind = "openai"', "remote box: missing: url"),
        ('[box]\nkind = "openai"\nurl = "https://a"\nkey = "k"', "remote box: unknown: key"),
        ('[box]\nkind = "grpc"\nurl = "https://a"', "kind is 'grpc', not one of llama.cpp, openai"),
        ('[box]\nkind = "openai"\nurl = "ftp://a"', "url is 'ftp://a', not one of http or https"),
        ('[box]\nkind = "openai"\nurl = "http://a"', "your code would go unencrypted"),
        ('[box]\nkind = "openai"\nurl = 5', "url is 5, which it cannot be"),
        ('[box]\nkind = "openai"\nurl = "https://a"\ntimeout_s = 0', "timeout_s is 0"),
        ('[box]\nkind = "openai"\nurl = "https://a"\ntimeout_s = nan', "timeout_s is nan"),
        (
            '[box]\nkind = "openai"\nurl = "https://a"\nkey_env = "A"\nkey_file = "b"',
            "key_env and key_file are both there",
        ),
    ],
)
def test_a_wrong_set_up_is_told(configured, toml, message):
    configured(toml)
    with pytest.raises(ConfigError, match=message):
        remote_of("remote:box")


def test_a_key_that_is_not_there_is_told(configured, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with server() as running, pytest.raises(ConfigError, match="NO_SUCH_KEY is not set"):
        edit(running, key_env="NO_SUCH_KEY")
