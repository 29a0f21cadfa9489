"""The client's documents, taken in as they change."""

from __future__ import annotations

import logging

from lsprotocol import types as lsp

from lsp_server.documents import local_path
from lsp_server.failures import Refused
from lsp_server.refusals import refusal
from lsp_server.session import Session

OFF = "diffill/off"

log = logging.getLogger(__name__)


def did_open(session: Session, params: lsp.DidOpenTextDocumentParams) -> None:
    """Take in a document; a client that asks for it is told if it is left alone."""
    session.documents.open(params.text_document)
    snapshot = session.documents.get(params.text_document.uri)
    if session.capabilities.off and (reason := refusal(snapshot, session.settings)):
        session.server.protocol.notify(OFF, {"uri": snapshot.uri, "reason": reason})


def did_change(session: Session, params: lsp.DidChangeTextDocumentParams) -> None:
    """Apply changes, and say so if they came in the wrong order."""
    try:
        problem = session.documents.change(params.text_document, params.content_changes)
    except Refused as error:
        log.error("a change was not applied: %s", error)
        return
    session.offers.follow(params.text_document.uri)
    if problem:
        session.warn(problem)


def did_change_unreadably(session: Session, params: object) -> None:
    """Leave a document alone until its whole text comes, and say so."""
    match params:
        case {"textDocument": {"uri": str(uri)}} if session.documents.is_open(uri):
            if problem := session.documents.lose(uri):
                session.warn(problem)
        case _:
            log.error("a change that cannot be read is of no document that is open")


def did_close(session: Session, params: lsp.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    if path := local_path(params.text_document.uri):
        session.surroundings.pop(path, None)
    session.offers.forget(params.text_document.uri)
    session.documents.close(params.text_document.uri)
