"""Who is let in over TCP, what is wrong with a request, and what goes on while it runs."""

import asyncio

import httpx2
import pytest
from scripted_engine import FILL

from engine.errors import ConfigError
from engine.secret import own_token, read_secret
from engine.shared import ask_engines

DEADLINE_S = 30.0
FILLED = {"prompt": "a = ", "suffix": "\n"}
WAIT = {"prompt": "WAIT", "suffix": "\n"}


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


async def test_only_programs_that_know_the_token_are_let_in(served):
    cases = [
        ({}, 200),
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": "Basic the-token-of-this-test"}, 401),
        ({"host": "localhost:8012"}, 200),
        ({"host": "[::1]:8012"}, 200),
        ({"host": "diffill.attacker.example"}, 403),
        ({"host": "127.0.0.1.attacker.example:8012"}, 403),
        ({"host": ""}, 403),
        ({"origin": "http://localhost:3000"}, 200),
        ({"origin": "https://attacker.example"}, 403),
        ({"origin": "null"}, 403),
    ]
    async with served() as client:
        seen = []
        for headers, status in cases:
            response = await client.post("/v1/completions", json=FILLED, headers=headers)
            seen.append((headers, response.status_code))
            assert ("error" in response.json()) == (status != 200)
            assert "access-control-allow-origin" not in response.headers
    assert seen == cases


async def test_health_needs_no_token(served):
    async with served() as client:
        await client.post("/v1/completions", json=FILLED)  # so it is loaded
        response = await client.get("/health", headers={"authorization": ""})
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
        stranger = {"host": "attacker.example"}
        assert (await client.get("/health", headers=stranger)).status_code == 403


async def test_what_is_for_the_socket_alone_is_not_there(served):
    paths = ["/stop", "/listen", "/hello", "/v1/chat/completions"]
    async with served() as client:
        assert [(await client.post(p, json={})).status_code for p in paths] == [404] * len(paths)


WRONG = [
    ("/infill", b"{", "the request is not JSON"),
    ("/infill", b"[]", "the request is not a JSON object"),
    ("/infill", {}, "prompt is missing, not a text"),
    ("/infill", {"input_prefix": 5}, "input_prefix is a JSON int, not a text"),
    ("/infill", {"input_prefix": "", "n_predict": "8"}, "n_predict is a JSON str"),
    ("/infill", b'{"input_prefix": "", "n_predict": 1e400}', "n_predict is a JSON float"),
    ("/infill", {"input_prefix": "", "stop": [1]}, "stop is a JSON list, not a list of texts"),
    ("/v1/completions", {"prompt": ["a", "b"]}, "prompt is a JSON list, not a text"),
    ("/v1/completions", {"prompt": "a", "n": 17}, "n is 17, not between 1 and 16"),
    ("/v1/completions", {"prompt": "a", "echo": True}, "echo is not supported"),
    ("/v1/completions", {"prompt": "a", "stream": "yes"}, "stream is a JSON str"),
    ("/v1/completions", {"prompt": "a" * ((1 << 20) + 1)}, "the text has 1,048,577 characters"),
    ("/v1/edit/completions", {"messages": []}, "there are 0 user messages, not one"),
    (
        "/v1/edit/completions",
        {"messages": [{"role": "user", "content": "hello"}]},
        "the message has no <|code_to_edit|>",
    ),
]


async def test_a_wrong_request_is_told_what_is_wrong(served):
    async with served() as client:
        for path, body, message in WRONG:
            content = {"content": body} if isinstance(body, bytes) else {"json": body}
            response = await client.post(path, **content)
            error = response.json()["error"]
            assert error["message"].startswith(message)
            assert (response.status_code, error["code"]) == (400, 400)
            assert error["type"] == "invalid_request_error"


async def test_a_client_that_leaves_stops_its_work(served, engine_folder):
    async with served() as client:
        task = asyncio.create_task(client.post("/v1/completions", json=WAIT))
        await until(lambda: lines(engine_folder / "events") == ["started"])
        task.cancel()
        await until(lambda: lines(engine_folder / "events") == ["started", "cancelled"])
        answer = await client.post("/v1/completions", json=FILLED)
        assert answer.json()["choices"][0]["text"] == FILL


async def test_the_port_outlives_the_engine_and_closes_with_its_holder(served, engine_folder):
    async with served() as client:
        with pytest.raises(httpx2.TransportError):
            await client.post("/v1/completions", json={"prompt": "DIE"})
        port = await asyncio.wait_for(client.opened.get(), DEADLINE_S)
        answer = await client.post(f"http://127.0.0.1:{port}/v1/completions", json=FILLED)
        assert answer.json()["choices"][0]["text"] == FILL
        [status] = [s async for s in ask_engines(engine_folder, "GET", "/status")]
        assert status["ports"] == [port]
    async with asyncio.timeout(DEADLINE_S):
        while status["ports"]:
            [status] = [s async for s in ask_engines(engine_folder, "GET", "/status")]


async def test_a_taken_port_is_said(served, engine_folder):
    async with served() as client:
        engine = client.engine
        with pytest.raises(ConfigError, match=f"port {client.base_url.port} cannot be had"):
            await engine.listen(client.base_url.port, "token", lambda port: None)


async def test_models_and_metrics(served):
    async with served() as client:
        await client.post("/v1/completions", json=FILLED)
        await client.post("/v1/completions", json={"prompt": "REFUSE"})
        await client.post("/infill", json={})
        [model] = (await client.get("/v1/models")).json()["data"]
        assert model["id"] == "scripted"
        text = (await client.get("/metrics")).text
    counts = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    counted = {
        (endpoint, outcome): counts[
            f'diffill_requests_total{{endpoint="{endpoint}",outcome="{outcome}"}}'
        ]
        for endpoint, outcome in (
            ("/v1/completions", "done"),
            ("/v1/completions", "refused"),
            ("/infill", "config"),
        )
    }
    assert set(counted.values()) == {"1.0"}
    assert counts["diffill_tokens_total"] == "10.0"
    assert float(counts["diffill_memory_bytes"]) > 1e6
    assert FILL not in text


def test_the_token_is_made_once_and_for_its_owner(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFILL_CONFIG", str(tmp_path / "settings"))
    monkeypatch.delenv("DIFFILL_TOKEN", raising=False)
    token = own_token()
    path = tmp_path / "settings" / "token"
    assert (own_token(), path.stat().st_mode & 0o777, len(token) > 30) == (token, 0o600, True)
    monkeypatch.setenv("DIFFILL_TOKEN", "from the environment")
    assert own_token() == "from the environment"
    for wrong in ("ключ", "a\nb", " a"):
        monkeypatch.setenv("DIFFILL_TOKEN", wrong)
        with pytest.raises(ConfigError, match="DIFFILL_TOKEN is not plain ASCII"):
            own_token()
    monkeypatch.delenv("DIFFILL_TOKEN")
    path.write_text("ключ")
    with pytest.raises(ConfigError, match="token is not plain ASCII"):
        own_token()


async def test_what_there_is_not_is_said_as_other_errors_are(served):
    async with served() as client:
        for method, path, status in (
            ("POST", "/v1/chat/completions", 404),
            ("GET", "/infill", 405),
        ):
            response = await client.request(method, path)
            message = f"Diffill has no answer to {method} {path}"
            error = {"message": message, "type": "invalid_request_error", "code": status}
            assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize(
    ("mode", "content", "message"),
    [
        (0o644, b"key\n", "is open to other users"),
        (0o600, b"", "does not hold one line"),
        (0o600, b"two\nlines", "does not hold one line"),
        (0o600, b"\xff", "does not hold a text"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_refused(tmp_path, mode, content, message):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=message):
        read_secret(path)
