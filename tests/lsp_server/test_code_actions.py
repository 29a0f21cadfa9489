"""Code actions of a real server process, as the clients of two editors see them."""

import json
from pathlib import Path

import pytest
import pytest_lsp
from lsp_text import apply_edits, range_of
from lsprotocol import types as lsp
from lsprotocol.converters import get_converter
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities
from raw_client import SERVER, SUPPORT, environment, script

from lsp_server.rewrites import REWRITES

URI = "file:///project/a.py"
CONVERTER = get_converter()


def vscode():
    text = Path(SUPPORT / "vscode_capabilities.json").read_text()
    return CONVERTER.structure(json.loads(text), lsp.ClientCapabilities)


@pytest_lsp.fixture(
    config=ClientServerConfig(server_command=SERVER, server_env=environment()),
    params=["neovim", "vscode"],
)
async def client(request, lsp_client: LanguageClient):
    capabilities = vscode() if request.param == "vscode" else client_capabilities("neovim")
    await lsp_client.initialize_session(lsp.InitializeParams(capabilities=capabilities))
    yield
    await lsp_client.shutdown_session()
    assert lsp_client._server.returncode == 0


def open_document(client, text):
    item = lsp.TextDocumentItem(URI, "python", 1, text)
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))


async def actions(client, text, start, end, only=None):
    encoding = client.protocol.server_encoding
    params = lsp.CodeActionParams(
        lsp.TextDocumentIdentifier(URI),
        CONVERTER.structure(range_of(text, start, end, encoding), lsp.Range),
        lsp.CodeActionContext([], only=only),
    )
    return await client.text_document_code_action_async(params)


@pytest.fixture(autouse=True)
def encoding(client):
    """Neovim prefers UTF-8, VS Code knows UTF-16 alone."""
    preferred = client.capabilities.general.position_encodings[0]
    client.protocol.server_encoding = getattr(preferred, "value", preferred)


async def test_the_fill_action_gives_the_edit_when_resolved(client):
    text = script(fill='x = "😀" + b\n') + 'x = "😀" + a\ny = 2\n'
    open_document(client, text)
    start = text.rindex("x =")
    action = (await actions(client, text, start, start + 11))[0]
    assert action.title == "Diffill: fill the selection"
    assert (action.kind, action.edit, action.command) == ("refactor.rewrite.diffill", None, None)

    resolved = await client.code_action_resolve_async(action)
    assert (resolved.title, resolved.kind, resolved.tags) == (
        action.title,
        action.kind,
        action.tags,
    )
    if client.capabilities.workspace.workspace_edit.document_changes:
        (change,) = resolved.edit.document_changes
        assert change.text_document == lsp.OptionalVersionedTextDocumentIdentifier(URI, 1)
        edits = change.edits
    else:
        edits = resolved.edit.changes[URI]
    assert [e.new_text for e in edits] == ["b"], "the range is minimal"
    changed = apply_edits(text, CONVERTER.unstructure(list(edits)), client.protocol.server_encoding)
    assert changed == text.replace("+ a", "+ b")


async def test_a_cursor_on_a_blank_line_inserts(client):
    text = script(fill="y = 2\n") + "x = 1\n\n"
    open_document(client, text)
    action = (await actions(client, text, len(text) - 1, len(text) - 1))[0]
    assert action.title == "Diffill: fill here"
    resolved = await client.code_action_resolve_async(action)
    edit = CONVERTER.unstructure(resolved.edit)
    edits = edit["changes"][URI] if "changes" in edit else edit["documentChanges"][0]["edits"]
    changed = apply_edits(text, edits, client.protocol.server_encoding)
    assert changed == script(fill="y = 2\n") + "x = 1\ny = 2\n\n"


async def test_generated_text_is_tagged_where_the_client_knows_the_tag(client):
    open_document(client, "x = 1\n")
    action = (await actions(client, "x = 1\n", 0, 5))[0]
    known = client.capabilities.text_document.code_action.tag_support is not None
    assert tuple(action.tags or ()) == ((lsp.CodeActionTag.LlmGenerated,) if known else ())


async def test_rewriting_is_offered_where_the_client_can_ask_for_an_instruction(client):
    open_document(client, "x = 1\n")
    offered = await actions(client, "x = 1\n", 0, 5)
    titles = [action.title for action in offered]
    asks = bool(client.capabilities.experimental)
    assert ("Diffill: rewrite with instruction…" in titles) is asks


@pytest.mark.parametrize(
    ("only", "offered"),
    [
        (["refactor"], True),
        (["refactor.rewrite"], True),
        (["refactor.rewrite.diffill"], True),
        (["quickfix", ""], True),
        (["quickfix"], False),
        (["refactor.extract"], False),
        (["refactor.rewrite.diff"], False),
        ([], False),
    ],
)
async def test_only_the_kinds_asked_for_are_offered(client, only, offered):
    open_document(client, "x = 1\n")
    assert bool(await actions(client, "x = 1\n", 0, 5, only)) is offered


def titles(offered):
    return [action.title.removeprefix("Diffill: ") for action in offered]


def edits_of(action):
    edit = CONVERTER.unstructure(action.edit)
    return edit["changes"][URI] if "changes" in edit else edit["documentChanges"][0]["edits"]


HOLES = 'def a():\n    """😀"""\n    raise NotImplementedError\n\n\ndef b(): pass\n'


async def test_the_hole_under_the_cursor_is_filled(client):
    text = script(fill="return 2") + HOLES
    open_document(client, text)
    at = text.index("ass\n")
    action = (await actions(client, text, at, at))[0]
    assert action.title == "Diffill: fill this hole: pass"
    resolved = await client.code_action_resolve_async(action)
    changed = apply_edits(text, edits_of(resolved), client.protocol.server_encoding)
    assert changed == text.replace("pass", "return 2")


async def test_all_holes_are_filled_by_one_action(client):
    text = script(fill=["    return 1\n", "return 2"]) + HOLES
    open_document(client, text)
    offered = await actions(client, text, 0, 0)
    action = offered[titles(offered).index("fill all 2 holes")]
    resolved = await client.code_action_resolve_async(action)
    changed = apply_edits(text, edits_of(resolved), client.protocol.server_encoding)
    expected = text.replace("raise NotImplementedError", "return 1").replace("pass", "return 2")
    assert changed == expected


async def test_a_file_of_one_hole_needs_no_action_for_all(client):
    open_document(client, "def b(): pass\n")
    offered = await actions(client, "def b(): pass\n", 0, 0)
    assert not any("all" in title for title in titles(offered))


async def test_a_ready_made_rewrite_covers_the_definition_around_the_cursor(client):
    text = script() + "def a(b):\n    return b  # 😀\n"
    open_document(client, text)
    at = text.index("return")
    offered = await actions(client, text, at, at, ["refactor.rewrite.diffill.docstring"])
    assert titles(offered) == ["add a docstring"]
    resolved = await client.code_action_resolve_async(offered[0])
    # The scripted engine answers with the instruction itself.
    changed = apply_edits(text, edits_of(resolved), client.protocol.server_encoding)
    assert changed == script() + REWRITES[0].instruction


async def test_the_rewrites_suit_the_language(client):
    item = lsp.TextDocumentItem(URI, "rust", 1, "fn a() {}\n")
    client.text_document_did_open(lsp.DidOpenTextDocumentParams(item))
    offered = titles(await actions(client, "fn a() {}\n", 0, 9))
    assert "add a documentation comment" in offered
    assert "add a docstring" not in offered
    assert "add type hints" not in offered


@pytest.mark.parametrize(
    ("text", "end", "reason", "count"),
    [
        ("x = 1\n", 0, "select code, or put the cursor in a function or class", 4),
        ("\n\nx = 1\n", 2, "there is nothing to rewrite here", 5),
        (
            "x = 1\n" * 7000,
            42_000,
            "42,000 characters are too many to rewrite, more than 40,000",
            5,
        ),
    ],
)
async def test_a_rewrite_that_cannot_be_made_says_why(client, text, end, reason, count):
    open_document(client, text)
    offered = await actions(client, text, 0, end)
    found = [getattr(action, "disabled", None) for action in offered]
    disabled = [each.reason for each in found if each]
    able = client.capabilities.text_document.code_action.disabled_support
    assert disabled == ([reason] * count if able else [])
    assert ("simplify" in titles(offered)) is bool(able)


async def test_where_it_cannot_run_the_reason_is_given(client):
    open_document(client, "a\0b\n")
    offered = await actions(client, "a\0b\n", 0, 1)
    if client.capabilities.text_document.code_action.disabled_support:
        assert {a.disabled.reason for a in offered} == {"the file is binary"}
        assert all(a.data is None and a.command is None for a in offered)
    else:
        assert not offered


async def test_a_refused_proposal_gives_the_reason_and_no_edit(client):
    text = script(fill="x = (\n", mode="refuse") + "x = 1\n"
    open_document(client, text)
    action = (await actions(client, text, len(text) - 6, len(text)))[0]
    with pytest.raises(Exception, match=r"no proposal was good enough: unclosed '\('") as caught:
        await client.code_action_resolve_async(action)
    assert caught.value.code == -32803


async def test_an_edit_that_could_not_be_checked_says_so(client):
    text = script(fill="x = 2\n", mode="unchecked") + "x = 1\n"
    open_document(client, text)
    action = (await actions(client, text, len(text) - 6, len(text)))[0]
    resolved = await client.code_action_resolve_async(action)
    assert resolved.edit is not None
    assert any("not checked" in m.message for m in client.log_messages)


async def test_a_command_applies_its_edit(client):
    text = script() + "x = 1\n"
    open_document(client, text)
    applied = []

    @client.feature(lsp.WORKSPACE_APPLY_EDIT)
    def apply(params: lsp.ApplyWorkspaceEditParams):
        applied.append(params)
        return lsp.ApplyWorkspaceEditResult(applied=True)

    argument = {
        "uri": URI,
        "version": 1,
        "range": range_of(text, len(text) - 6, len(text)),
        "instruction": "x = 3\n",
    }
    token = "a token of the client"
    client.progress_reports[token] = []
    params = lsp.ExecuteCommandParams("diffill.rewrite", [argument], work_done_token=token)
    assert await client.workspace_execute_command_async(params) is None
    (request,) = applied
    assert request.label == "Diffill: rewrite"
    edit = CONVERTER.unstructure(request.edit)
    edits = edit["changes"][URI] if "changes" in edit else edit["documentChanges"][0]["edits"]
    assert apply_edits(text, edits, client.protocol.server_encoding) == script() + "x = 3\n"
    reports = client.progress_reports[token]
    assert (reports[0].kind, reports[-1].kind) == ("begin", "end")
    assert "loading the model (50%)" in [r.message for r in reports[1:-1]]


@pytest.mark.parametrize(
    ("first", "last", "title"),
    [
        ("def one", "pass", "fill this hole: pass"),
        ("pass", "pass", "fill this hole: pass"),
        ("def one", "raise", "fill the 2 holes selected"),
    ],
)
async def test_the_holes_in_a_selection_are_offered_first(client, first, last, title):
    text = (
        script(fill="    return 1\n")
        + "def one():\n    pass\n\ndef two():\n    raise NotImplementedError\n"
    )
    open_document(client, text)
    end = text.index("\n", text.index(last, text.index("def one")))
    offered = await actions(client, text, text.index(first, text.index("\n")), end)
    assert titles(offered)[0] == title
