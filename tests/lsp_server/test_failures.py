import asyncio

import pytest
from pygls.exceptions import JsonRpcInvalidParams

from engine.errors import Cancelled, DeadlineExceeded, EngineUnavailable
from lsp_server.failures import InvalidParams, Refused, Replaced, Stale, response_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (asyncio.CancelledError(), -32800),
        (Cancelled("replaced by a newer request"), -32800),
        (Stale(), -32801),
        (Replaced(), -32802),
        (EngineUnavailable("it died"), -32803),
        (DeadlineExceeded("too slow"), -32803),
        (Refused("no"), -32803),
        (InvalidParams("bad"), -32602),
        (JsonRpcInvalidParams("bad"), -32602),
        (ZeroDivisionError("secret"), -32603),
    ],
)
def test_every_error_has_its_code(error, code):
    assert response_error(error).code == code


def test_the_user_reads_the_message_of_what_is_meant_for_users():
    assert response_error(EngineUnavailable("it died")).message == "it died"
    assert "secret" not in response_error(ZeroDivisionError("secret")).message
