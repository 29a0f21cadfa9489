"""An engine process without a model: it fills "filled", and dies at a text that says "die"."""

import json
import sys

for line in sys.stdin:
    message = json.loads(line)
    if message["type"] != "edit":
        continue
    request = message["request"]
    if "die" in request["text"]:
        sys.exit(3)
    (start, end), *_ = request["spans"]
    verdict = {"ok": True, "reasons": [], "checked": True}
    candidate = {"replacements": [[start, end, "filled\n"]], "verdict": verdict, "score": -0.1}
    candidate["verdicts"] = []
    stats = {"steps": 1, "forward_calls": 1, "tokens": 1, "seconds": 0.0}
    result = {"candidates": [candidate], "stats": stats}
    print(json.dumps({"type": "result", "id": message["id"], "result": result}), flush=True)
