"""One Diffill asks another: a local engine process whose model is a remote one."""

import pytest

from engine.errors import ConfigError
from engine.protocol import EditRequest
from engine.shared import SharedEngine, ask_engines
from grammars.span import Span

TEXT = "def double(x):\n    return \n\n\ndef first():\n    return 1\n"
AT = TEXT.index("return ") + len("return ")
REQUEST = EditRequest(text=TEXT, spans=(Span(AT, AT),), language="python", max_tokens=32)


@pytest.fixture
def configured(tmp_path, monkeypatch):
    monkeypatch.setenv("DIFFILL_CONFIG", str(tmp_path))

    def write(kind, url, key):
        (tmp_path / "key").write_text(key)
        (tmp_path / "key").chmod(0o600)
        (tmp_path / "remotes.toml").write_text(
            f'[there]\nkind = "{kind}"\nurl = "{url}"\nkey_file = "{tmp_path / "key"}"\n'
        )

    return write


@pytest.mark.parametrize(
    ("kind", "path"), [("llama.cpp", ""), ("openai", "/v1"), ("mercury", "/v1")]
)
async def test_a_remote_diffill_fills(served, configured, engine_folder, kind, path):
    async with served() as client:
        url = str(client.base_url).rstrip("/") + path
        configured(kind, url, client.headers["authorization"].removeprefix("Bearer "))
        local = SharedEngine("remote:there")
        result = await local.edit(REQUEST)
        # The other end's two lines: the second would leave the function, so it is cut off here.
        assert result.best.replacements[0].text == "first()"
        assert result.best.verdict.ok and result.best.verdict.checked
        states = {s["model"]: s async for s in ask_engines(engine_folder, "GET", "/status")}
        assert states["remote-there"]["done"] == states["scripted"]["done"] == 1
        assert states["remote-there"]["memory_bytes"] < 200e6  # so there is no torch in it
        await local.close()


async def test_a_wrong_key_is_told(served, configured):
    async with served() as client:
        configured("openai", f"{client.base_url}/v1", "wrong")
        local = SharedEngine("remote:there")
        with pytest.raises(ConfigError, match=r"remote there refuses the key \(status 401\)"):
            await local.edit(REQUEST)
        await local.close()
