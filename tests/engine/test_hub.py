import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import published
import pytest

from engine import catalogue
from engine.errors import CheckpointError, FetchError
from engine.folders import cache_dir
from engine.hub import SOURCE, HubId, folder_of, hub_id, source_of
from engine.hub_fetch import fetch_folder

SHA, OLDER = "0123456789abcdef" * 2 + "01234567", "fedcba9876543210" * 2 + "fedcba98"
ID = "Dream-org/Dream-Coder-v0-Instruct-7B"


class Hub(ThreadingHTTPServer):
    """The part of the hub's HTTP interface that a download uses."""

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.asked, self.lie = files, [], None


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(with_body=True)

    def do_HEAD(self):
        self.answer(with_body=False)

    def answer(self, with_body):
        server, path = self.server, self.path.partition("?")[0]
        server.asked.append(path)
        if path.startswith(f"/api/models/{ID}"):
            revision = path.rpartition("/revision/")[2]
            sha = OLDER if OLDER.startswith(revision) else SHA
            siblings = [
                {"rfilename": name, "size": len(content)}
                | (
                    {"lfs": {"size": len(content), "pointerSize": 9, "sha256": digest(content)}}
                    if name.endswith(".safetensors")
                    else {}
                )
                for name, content in server.files.items()
            ]
            body = json.dumps({"id": ID, "sha": sha, "siblings": siblings}).encode()
            return self.reply(body, with_body)
        for sha in (SHA, OLDER):
            name = path.removeprefix(f"/{ID}/resolve/{sha}/")
            if name in server.files:
                content = server.files[name]
                if name == server.lie:
                    content = content[:-1] + b"x"
                return self.reply(content, with_body, {"X-Repo-Commit": sha})
        self.send_error(404)
        return None

    def reply(self, body, with_body, headers=None):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{digest(body)}"')
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = published.write(tmp_path / "made", "dream-coder", published.reference("qwen2"))
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    files |= {"modeling_dream.py": b"raise SystemExit('run')", "pytorch_model.bin": b"pickled"}
    server = Hub(files)
    thread = Thread(target=server.serve_forever)
    thread.start()
    here = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", here)
    template = here + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIFFILL_MODEL", raising=False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def fetched(model=ID, said=None):
    return fetch_folder(
        hub_id(model), lambda message, share: None if said is None else said.append(message)
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ID, HubId("Dream-org", "Dream-Coder-v0-Instruct-7B", None)),
        ("a/b@v1.0", HubId("a", "b", "v1.0")),
        ("qwen2.5-coder-0.5b", None),
        ("models/x.gguf", None),
        ("../models", None),
        ("/models/x", None),
        ("a/b/c", None),
        ("a/b@", None),
        ("a/..", None),
        ("~/x", None),
    ],
)
def test_what_is_an_id(text, found):
    assert hub_id(text) == found


def test_a_model_by_its_id(hub):
    said = []
    assert catalogue.find(ID) is None
    with pytest.raises(CheckpointError, match=f"run `diffill model pull {ID}`"):
        catalogue.resolve_local(ID)
    folder = fetched(said=said)
    assert folder.name == "Dream-Coder-v0-Instruct-7B@0123456789ab"
    assert any("of the family dream-coder" in line and SHA in line for line in said)
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "diffill-source.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert not [path for path in hub.asked if path.endswith((".py", ".bin"))]
    assert catalogue.resolve_local(ID).path == folder
    source = source_of(folder)
    assert (source["repository"], source["revision"]) == (ID, SHA)
    weights = hub.files["model.safetensors"]
    assert source["files"]["model.safetensors"] == {"size": len(weights), "sha256": digest(weights)}
    hub.asked.clear()
    assert fetched() == folder  # what was fetched first stays: nobody is asked
    assert hub.asked == []


def test_a_certain_revision(hub):
    newest, older = fetched(), fetched(f"{ID}@{OLDER[:8]}")
    assert older.name.endswith(OLDER[:12])
    assert catalogue.find(f"{ID}@{OLDER[:8]}") == older
    assert catalogue.find(ID) == newest
    assert folder_of(hub_id(f"{ID}@main"), cache_dir()) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config.json": b'{"model_type": "mamba"}'}, "model_type is 'mamba'; the families"),
        ({"config.json": b"{"}, "is not JSON"),
        ({"config.json": None}, "has no config.json"),
        ({"model.safetensors": None}, "pickled weights, which can run code, are never fetched"),
    ],
)
def test_no_weights_of_what_cannot_be_loaded(hub, change, said):
    hub.files |= {name: content for name, content in change.items() if content is not None}
    for name in (name for name, content in change.items() if content is None):
        del hub.files[name]
    with pytest.raises((FetchError, CheckpointError), match=said):
        fetched()
    assert not [path for path in hub.asked if path.endswith(".safetensors")]
    assert catalogue.find(ID) is None


def test_what_is_not_what_the_hub_says_is_deleted(hub):
    hub.lie = "model.safetensors"
    with pytest.raises(FetchError, match=r"model\.safetensors is not what the hub says"):
        fetched()
    assert catalogue.find(ID) is None
    hub.lie = None
    assert fetched().is_dir()


def test_no_such_model(hub):
    with pytest.raises(FetchError, match=r"nobody/nothing could not be fetched from the .* hub"):
        fetched("nobody/nothing")


def test_no_hub(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(FetchError, match=r"could not be fetched .* --model FOLDER"):
        fetched()


def test_a_branch_is_found_again_by_the_name_it_was_asked_by(tmp_path):
    folder = tmp_path / "hub" / "org" / "model@0123456789ab"
    folder.mkdir(parents=True)
    source = {"repository": "org/model", "revision": "0123456789abcdef", "asked": "main"}
    (folder / SOURCE).write_text(json.dumps(source))
    for revision, found in ((None, folder), ("main", folder), ("0123", folder), ("v2", None)):
        assert folder_of(HubId("org", "model", revision), tmp_path) == found
