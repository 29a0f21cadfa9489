"""An engine without a model: a real child process that speaks `engine.protocol` by rule.

`python scripted_engine.py MODE`:
    echo    answers each span with FILL (one line of it if asked), a rewrite in upper case
    mends   answers each span with "pass"
    keep    answers each span with the text it has
    invalid answers like echo, with a verdict that refuses it
    slow    says "ready", then never answers
    dies    exits at the first request
    config  answers every request with an error of kind "config"
    tells   answers like echo, and says ASKED and the request as JSON on standard error
A prefix that ends with "ANSWER:word" is filled with word, whatever the mode; a span that holds
"INVALID" is answered with a verdict that refuses it; of a text with "SLOW" it says WAITING on
standard error, and never answers.
"""

import json
import os
import re
import signal
import sys
from pathlib import Path

FILL = "first()\nsecond()"


def opener(mode="echo"):
    """Return what `main` takes as `open_engine`."""
    from engine.client import EngineProcess

    command = [sys.executable, "-P", str(Path(__file__).resolve()), mode]
    return lambda on_status: EngineProcess(command=command, on_status=on_status)


def answer(mode, request):
    text = request["text"]
    replacements = []
    for start, end in request["spans"]:
        new = FILL.split("\n")[0] if request["single_line"] else FILL
        if request["instruction"] is not None:
            new = text[start:end].upper()
        if mode == "mends":
            new = "pass"
        if mode == "keep":
            new = text[start:end]
        if told := re.search(r"ANSWER:(\w+)$", text[:start]):
            new = told[1]
        replacements.append([start, end, new])
    ok = mode != "invalid" and not any("INVALID" in text[a:b] for a, b in request["spans"])
    verdict = {
        "ok": ok,
        "reasons": [] if ok else ["line 1: a new syntax error"],
        "checked": request["language"] in ("python", "typescript"),
    }
    return {
        "candidates": [
            {"replacements": replacements, "verdict": verdict, "score": -0.5, "verdicts": []}
        ],
        "stats": {"steps": 3, "forward_calls": 4, "tokens": 5, "seconds": 0.5},
    }


def say(line):
    os.write(2, f"{line}\n".encode())  # in one piece: others write there, too


def serve(mode):
    def send(message):
        print(json.dumps(message), flush=True)

    send({"type": "status", "state": "loading", "message": "loading", "fraction": 0.5})
    send({"type": "status", "state": "ready", "message": "ready", "fraction": None})
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] != "edit" or mode == "slow":
            continue
        if "SLOW" in message["request"]["text"]:
            say("WAITING")
            continue
        if mode == "dies":
            os._exit(9)
        if mode == "config":
            send({"type": "error", "id": message["id"], "kind": "config", "message": "no such"})
            continue
        if mode == "tells":
            say(f"ASKED {json.dumps(message['request'])}")
        result = answer(mode, message["request"])
        send({"type": "result", "id": message["id"], "result": result})


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the real one: a Ctrl-C is for its parent
    serve(sys.argv[1])
