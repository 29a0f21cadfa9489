"""What one connection knows: its settings, the client's abilities, the documents, the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lsprotocol import types as lsp
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer

from engine.client import EngineClient, EngineStatus, OnFrame, OnStatus
from engine.protocol import EditRequest, EditResult
from lsp_server.capabilities import Capabilities
from lsp_server.completions import Completions
from lsp_server.documents import Documents, local_path
from lsp_server.failures import Refused
from lsp_server.metrics import Metrics
from lsp_server.offers import Offers
from lsp_server.progress import Progress
from lsp_server.setting_sources import sources
from lsp_server.settings import Origin, Source, debounce_of, resolve

if TYPE_CHECKING:
    from lsp_server.surroundings import Chosen

T = TypeVar("T")

# The model's name (None: the engine's default) and who wants to hear of its loading.
EngineFactory = Callable[[str | None, OnStatus], EngineClient]


class Session:
    """The state behind all requests; it changes on the event loop only."""

    def __init__(
        self, server: LanguageServer, engine_factory: EngineFactory, options: Source
    ) -> None:
        self.server = server
        self.documents = Documents()
        self.capabilities = Capabilities()
        self.settings = resolve(()).settings
        self.completions = Completions()
        self.metrics = Metrics()
        self.offers = Offers(self.documents, self.metrics)
        self.surroundings: dict[Path, Sequence[Chosen]] = {}  # last chosen, by file
        self.folders: tuple[Path, ...] = ()
        self.debounce_ms = 0
        self._options = options
        self._problems: tuple[str, ...] = ()
        self._warned: set[str] = set()
        self._engine_factory = engine_factory
        self._engine: EngineClient | None = None
        self._working: dict[lsp.ProgressToken, tuple[Progress, asyncio.Task[object] | None]] = {}

    def initialize(self, params: lsp.InitializeParams) -> None:
        """Take in what the client says about itself."""
        self.capabilities = Capabilities.of(params.capabilities)
        encoding = self.server.workspace.position_encoding
        self.documents.encoding = encoding or lsp.PositionEncodingKind.Utf16
        said = Source.of(Origin.EDITOR, "the editor's settings", params.initialization_options)
        self.folders = _folders(params)
        effective = resolve([*sources(next(iter(self.folders), None)), self._options, said])
        self.settings, self._problems = effective.settings, effective.problems
        self.metrics.is_on = self.settings.metrics
        client = params.client_info.name if params.client_info else ""
        self.debounce_ms = debounce_of(self.settings, client)

    def initialized(self, _params: lsp.InitializedParams) -> None:
        """Report bad settings, now that the client listens."""
        for problem in self._problems:
            self.warn(f"Diffill settings: {problem}")

    def change_folders(self, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        """Follow the folders the client works in."""
        gone = _paths(folder.uri for folder in params.event.removed)
        kept = [folder for folder in self.folders if folder not in gone]
        added = _paths(folder.uri for folder in params.event.added)
        self.folders = tuple(dict.fromkeys([*kept, *added]))

    async def edit(self, request: EditRequest, on_frame: OnFrame | None = None) -> EditResult:
        """Have the engine make an edit; it is started by the first one.

        Raises:
            EngineError: from the engine.
        """
        if self._engine is None:
            self._engine = self._engine_factory(self.settings.model, self._on_status)
        return await self._engine.edit(request, on_frame)

    async def close(self) -> None:
        """Stop the engine, and write what was counted."""
        self.offers.forget_all()
        await self.metrics.write()
        engine, self._engine = self._engine, None
        if engine:
            await engine.close()

    @contextlib.contextmanager
    def progress(self, title: str, token: lsp.ProgressToken | None) -> Generator[Progress]:
        """Show the running task's progress, and let the client cancel the task by it."""
        may_create = self.capabilities.progress
        with Progress(self.server, title, token, may_create=may_create) as progress:
            self._working[progress.token] = progress, asyncio.current_task()
            try:
                yield progress
            finally:
                del self._working[progress.token]

    def cancel_progress(self, params: lsp.WorkDoneProgressCancelParams) -> None:
        """Cancel the request behind a progress; one that has just ended is no mistake."""
        _, task = self._working.get(params.token, (None, None))
        if task:
            task.cancel()

    async def ask(self, answer: Future[T]) -> T:
        """Await the client's answer to a request of ours.

        Shielded: were the wait for it cancelled itself, pygls would choke on the late answer.

        Raises:
            Refused: if the answer is an error.
        """
        waiting = asyncio.wrap_future(answer)
        waiting.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(waiting)
        except JsonRpcException as error:
            raise Refused(f"the editor answered with an error: {error}") from error

    def warn(self, message: str) -> None:
        """Show the user a warning."""
        self._show(lsp.MessageType.Warning, message)

    def warn_once(self, message: str) -> None:
        """Show the user a warning, and the same one never again."""
        if message not in self._warned:
            self._warned.add(message)
            self.warn(message)

    def inform(self, message: str) -> None:
        """Show the user a message."""
        self._show(lsp.MessageType.Info, message)

    def log(self, message: str) -> None:
        """Write a line to the client's log of this server."""
        self.server.window_log_message(lsp.LogMessageParams(lsp.MessageType.Info, message))

    def _show(self, kind: lsp.MessageType, message: str) -> None:
        self.server.window_show_message(lsp.ShowMessageParams(kind, message))

    def _on_status(self, status: EngineStatus) -> None:
        for progress, _ in self._working.values():
            progress.on_status(status)


def _folders(params: lsp.InitializeParams) -> tuple[Path, ...]:
    """Return the folders the client works in, those that are on this machine."""
    uris = [folder.uri for folder in params.workspace_folders or ()] or [params.root_uri]
    paths = _paths(uris) or ([Path(params.root_path)] if params.root_path else [])
    return tuple(paths)


def _paths(uris: Iterable[str | None]) -> list[Path]:
    return [path for uri in uris if uri and (path := local_path(uri))]
