"""A server of somebody's model, without one: it answers what a test tells it to, in turn."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DEADLINE_S = 30.0


class Server(ThreadingHTTPServer):
    """Answers by what `script` yields: (status, headers, body), or a function of the request."""

    daemon_threads = True

    def __init__(self, script):
        self.script, self.asked = list(script), []
        self.waiting, self.release = threading.Event(), threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append((self.path, dict(self.headers), body))
        step = self.server.script.pop(0)
        if step == "hang up":
            self.connection.close()
            return
        if step == "wait":
            self.server.waiting.set()
            self.server.release.wait(DEADLINE_S)
            return
        status, headers, answer = step
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def server(*script):
    with Server(script) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            running.release.set()
            running.shutdown()
            thread.join()


def text(content):
    return 200, {}, {"choices": [{"text": content}], "usage": {"completion_tokens": 3}}
