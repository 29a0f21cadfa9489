"""LSP text arithmetic done the slow way, through real encodings: the reference for tests."""

import re

UNIT_BYTES = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
ENCODINGS = tuple(UNIT_BYTES)


def units(text, encoding):
    name = encoding if encoding == "utf-8" else f"{encoding}-le"
    return len(text.encode(name, "surrogatepass")) // UNIT_BYTES[encoding]


def lines(text):
    """(start, end without the line end) of every line."""
    starts = [0, *(m.end() for m in re.finditer("\r\n|\r|\n", text))]
    ends = [*(m.start() for m in re.finditer("\r\n|\r|\n", text)), len(text)]
    return list(zip(starts, ends, strict=True))


def position(text, offset, encoding):
    for line, (start, end) in enumerate(lines(text)):
        if start <= offset <= end:
            return {"line": line, "character": units(text[start:offset], encoding)}
    raise ValueError(f"{offset} lies within a CRLF")


def offset(text, position, encoding):
    start, end = lines(text)[position["line"]]
    for at in range(start, end + 1):
        if units(text[start:at], encoding) == position["character"]:
            return at
    raise ValueError(f"{position} is not the start of a character")


def range_of(text, start, end, encoding="utf-16"):
    return {"start": position(text, start, encoding), "end": position(text, end, encoding)}


def apply_edits(text, edits, encoding="utf-16"):
    """Apply TextEdit objects, all of which refer to the original text."""
    spans = [
        (
            offset(text, e["range"]["start"], encoding),
            offset(text, e["range"]["end"], encoding),
            e["newText"],
        )
        for e in edits
    ]
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def random_text(random, length):
    """Text with everything that is counted or split differently somewhere."""
    pieces = ["a", "b", " ", "\t", "\n", "\r\n", "\r", "\f", "\v", "\x85", "\u2028", "\u2029"]
    pieces += ["é", "e\u0301", "ß", "中", "😀", "👩\u200d💻", "\U0001d54f", "\x1c", "\ufeff"]
    return "".join(random.choice(pieces) for _ in range(length))


def boundaries(text):
    """All offsets a position can stand for: not those between CR and LF."""
    return [i for i in range(len(text) + 1) if text[i - 1 : i + 1] != "\r\n" or i == 0]
