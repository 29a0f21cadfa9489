"""A real language server whose engine answers at once: what is left is the server's time.

It answers the request `test/nothing` with null.
"""

import sys

from engine.protocol import Candidate, EditResult, EditStats
from grammars.span import Replacement
from grammars.verdict import Verdict
from lsp_server.main import claim_stdout, serve
from lsp_server.server import create_server


class InstantEngine:
    async def edit(self, request, on_frame=None):
        made = tuple(Replacement(span, "filled(1)") for span in request.spans)
        return EditResult((Candidate(made, Verdict(True), -0.1),), EditStats(1, 1, 1, 0.0))

    async def close(self):
        pass


if __name__ == "__main__":
    stdout = claim_stdout()
    server = create_server(lambda model, on_status: InstantEngine())
    server.feature("test/nothing")(lambda *_params: None)
    sys.exit(serve(server, stdout))
