"""An engine without a model: a real child process that speaks `engine.protocol` by rule.

`python scripted_engine.py MODE`:
    echo    answers each span with FILL (one line of it if asked), a rewrite in upper case
    mends   answers each span with "pass"
    keep    answers each span with the text it has
    invalid answers like echo, with a verdict that refuses it
    slow    says "ready", then never answers
    dies    exits at the first request
    config  answers every request with an error of kind "config"
    twice   answers like echo, and explains it by two drafts of the same text
    tells   answers like echo, and says ASKED and the request as JSON on standard error
A prefix that ends with "ANSWER:word" is filled with word, whatever the mode; a span that holds
"INVALID" is answered with a verdict that refuses it; of a text with "SLOW" it says WAITING on
standard error, and never answers. More candidates are called other1(), other2(); there are no more.
Frames and explanations, where they are asked for, tell of a first draft that was refused, and of
the answer.
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
    candidate = {"replacements": replacements, "verdict": verdict, "score": -0.5, "verdicts": []}
    others = [
        candidate | {"replacements": [[a, b, f"other{n}()"] for a, b, _ in replacements]}
        for n in range(1, min(request["candidates"] or 1, 3))
    ]
    return {
        "candidates": [candidate, *others],
        "stats": {"steps": 3, "forward_calls": 4, "tokens": 5, "seconds": 0.5},
        "explanation": explanation(mode, text, replacements, verdict)
        if request["explain"]
        else None,
    }


def explanation(mode, text, replacements, verdict):
    sights, attempts = [], []
    refused = {"ok": False, "reasons": ["line 2: a new syntax error"], "checked": True}
    first, bracket = (verdict, "") if mode == "twice" else (refused, "(")
    for span, (start, end, new) in enumerate(replacements):
        sights.append({"span": span, "before": text[:start], "after": text[end:], "tokens": 9})
        for draft, how, made, judged in (
            (2 * span, "the likeliest tokens", bracket + new, first),
            (2 * span + 1, "drawn with seed 7", new, verdict),
        ):
            of_draft = {"tokens": 3, "score": -0.5, "forward_calls": 2 + 2 * draft}
            about = {"span": span, "draft": draft, "how": how, "text": made, "verdict": judged}
            attempts.append(about | of_draft)
    return {"sights": sights, "attempts": attempts}


def frames(result):
    """A draft on a canvas of three tokens, and one that grows by words."""
    for span, (_, _, new) in enumerate(result["candidates"][0]["replacements"]):
        for step, states in enumerate((["masked"] * 2, ["committed", "provisional"]), 1):
            tokens = [token("(", states[0]), token(new, states[1], 0.25)]
            yield {"span": span, "step": step, "tokens": tokens, "draft": 2 * span}
        words = re.findall(r"\W*\w+|\W+", new)
        for count in range(1, len(words) + 1):
            tokens = [token(word, "committed") for word in words[:count]]
            yield {"span": span, "step": 2 + count, "tokens": tokens, "draft": 2 * span + 1}


def token(text, state, confidence=0.75):
    return {"text": text, "state": state, "confidence": confidence}


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
        result = answer(mode, message["request"])
        for frame in frames(result) if message["request"]["frames"] else ():
            send({"type": "frame", "id": message["id"], "frame": frame})
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
        send({"type": "result", "id": message["id"], "result": result})


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the real one: a Ctrl-C is for its parent
    serve(sys.argv[1])
