"""The server put together: which feature answers which message."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from threading import Event
from typing import Any, BinaryIO

from lsprotocol import types as lsp
from pygls.io_ import StdinAsyncReader, StdoutWriter, run_async
from pygls.lsp.server import LanguageServer

from engine import __version__
from lsp_server.dispatch import UNREADABLE_CHANGE, Dispatcher
from lsp_server.names import COMMANDS, KIND, REPAIR_KIND
from lsp_server.session import EngineFactory, Session
from lsp_server.settings import Origin, Source

# Method, feature (as module and function of `lsp_server.features`), and what the server says about
# it in its capabilities.
FEATURES: tuple[tuple[str, str, object], ...] = (
    (lsp.TEXT_DOCUMENT_DID_OPEN, "synchronisation.did_open", None),
    (lsp.TEXT_DOCUMENT_DID_CHANGE, "synchronisation.did_change", None),
    (UNREADABLE_CHANGE, "synchronisation.did_change_unreadably", None),
    (lsp.TEXT_DOCUMENT_DID_CLOSE, "synchronisation.did_close", None),
    (
        lsp.TEXT_DOCUMENT_CODE_ACTION,
        "code_actions.code_actions",
        lsp.CodeActionOptions(code_action_kinds=[KIND, REPAIR_KIND], resolve_provider=True),
    ),
    (lsp.CODE_ACTION_RESOLVE, "code_actions.resolve", None),
    (
        lsp.TEXT_DOCUMENT_CODE_LENS,
        "code_lenses.code_lenses",
        lsp.CodeLensOptions(resolve_provider=False),
    ),
    (
        lsp.TEXT_DOCUMENT_INLINE_COMPLETION,
        "inline_completion.inline_completion",
        lsp.InlineCompletionOptions(),
    ),
    (lsp.WORKSPACE_EXECUTE_COMMAND, "commands.execute", None),
)


class _Reader(StdinAsyncReader):
    """Reads messages in a thread of its own: parsing may hold all others for seconds."""

    def __init__(self, stdin: BinaryIO) -> None:
        super().__init__(stdin, ThreadPoolExecutor(1, "stdin"))

    async def readline(self) -> bytes:
        """Return the next line of a header, its one field that counts as pygls knows it."""
        line = await super().readline()
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return b"Content-Length: %s\r\n" % value.strip()
        return line


class Server(LanguageServer):
    """A language server for one client."""

    def __init__(self, engine_factory: EngineFactory, options: Source) -> None:
        super().__init__("diffill", __version__, protocol_cls=Dispatcher)
        assert isinstance(self.protocol, Dispatcher)
        self.dispatcher = self.protocol
        self.session = Session(self, engine_factory, options)

    async def serve(self, stdin: BinaryIO, stdout: BinaryIO) -> None:
        """Answer the client until it closes the connection or says `exit` (as SystemExit)."""
        self.protocol.set_writer(StdoutWriter(stdout))
        try:
            await run_async(
                stop_event=Event(),
                reader=_Reader(stdin),
                protocol=self.protocol,
                error_handler=self.report_server_error,
            )
        finally:
            await asyncio.gather(*self.dispatcher.cancel_all(), return_exceptions=True)
            await self.session.close()


def create_server(engine_factory: EngineFactory, model: str | None = None) -> Server:
    """Return a server that gets its engine from `engine_factory` when it first needs one.

    `model` is used unless the client's settings name another.
    """
    server = Server(engine_factory, Source(Origin.OPTION, "--model", {"model": model}))
    session = server.session

    # The engine ends later, with the connection: the answer to `shutdown` does not wait for it.
    @server.feature(lsp.SHUTDOWN)
    def shutdown(*_params: object) -> None:  # pyright: ignore[reportUnusedFunction]
        server.dispatcher.cancel_all()

    server.feature(lsp.INITIALIZE)(partial(Session.initialize, session))
    server.feature(lsp.INITIALIZED)(partial(Session.initialized, session))
    server.feature(lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL)(partial(Session.cancel_progress, session))
    changed_folders = lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS
    server.feature(changed_folders)(partial(Session.change_folders, session))
    for method, name, options in FEATURES:
        server.feature(method, options)(partial(_feature, name, session))
    for name in COMMANDS:
        server.command(name)(partial(_feature, "commands.execute", session))  # so it is announced
    return server


def _feature(name: str, session: Session, params: Any) -> object:
    """Call a feature, imported only now: `initialize` is answered sooner without any."""
    module, _, function = name.partition(".")
    return getattr(import_module(f"lsp_server.features.{module}"), function)(session, params)
