"""`--interactive`: show each edit and ask what to do with it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from editor_clients.command_line import diff, files
from editor_clients.command_line.editing import Choice, Offer
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.screen import Screen
from grammars.lines import line_end, with_line_end
from grammars.span import Replacement, apply
from grammars.validation import validate

_HELP = """\
y: keep it             n: leave the place as it is
a: keep all            q: keep no more
e: edit it yourself    r: roll again, for another one
"""


class Prompt:
    """Asks on standard error, reads answers from standard input; its end means q."""

    def __init__(self, screen: Screen, meter: Meter) -> None:
        self._screen, self._meter = screen, meter
        self._keeps_all = False

    def __call__(self, offer: Offer) -> Choice | str:
        """Return the user's choice, or the text they wrote instead."""
        if self._keeps_all:
            return Choice.KEEP
        with self._meter.paused():
            if offer.is_repeated:
                sys.stderr.write("nothing else came of it; this again:\n")
            self._show(offer, offer.replacement)
            return self._asked(offer)

    def _asked(self, offer: Offer) -> Choice | str:
        own = offer.replacement.text
        while True:
            sys.stderr.write("keep this edit? [y,n,a,q,e,r,?] ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            match answer.strip().lower() if answer else "q":
                case "y":
                    # What the user wrote and saw is what is kept.
                    return Choice.KEEP if own == offer.replacement.text else own
                case "n":
                    return Choice.LEAVE
                case "r":
                    return Choice.AGAIN
                case "a":
                    self._keeps_all = True
                    return Choice.KEEP if own == offer.replacement.text else own
                case "q":
                    return Choice.STOP
                case "e":
                    own = self._edited(offer, own)
                case _:
                    sys.stderr.write(_HELP)

    def _edited(self, offer: Offer, text: str) -> str:
        """Let the user edit until it validates; return the new text, or the old one."""
        span, old = offer.replacement.span, text
        while True:
            try:
                own = _from_editor(text, Path(offer.name).suffix)
            except OSError as error:
                self._screen.warn(f"the editor failed: {files.why(error)}")
                return old
            text = with_line_end(own, line_end(offer.text))  # editors write those they like
            verdict = validate(offer.text, [Replacement(span, text)], offer.language)
            if verdict.ok:
                self._show(offer, Replacement(span, text))
                return text
            sys.stderr.write(f"refused: {'; '.join(verdict.reasons)}\nedit it again? [y,n] ")
            sys.stderr.flush()
            if sys.stdin.readline().strip().lower() != "y":
                return old

    def _show(self, offer: Offer, replacement: Replacement) -> None:
        shown = diff.unified(offer.name, offer.text, apply(offer.text, [replacement]))
        colours = self._screen.uses_color(sys.stderr)
        sys.stderr.write(diff.coloured(shown) if colours else shown)


def _from_editor(text: str, suffix: str) -> str:
    """Return what the user makes of a text in `VISUAL` or `EDITOR`.

    Raises:
        OSError: if that cannot be run, fails, or leaves no text.
    """
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="diffill-") as folder:
        path = Path(folder) / f"edit{suffix}"
        path.write_bytes(text.encode())
        try:
            subprocess.run([*command, str(path)], check=True)
            edited = path.read_bytes().decode()
        except subprocess.CalledProcessError as error:
            raise OSError(f"{command[0]} ended with {error.returncode}") from error
        except UnicodeDecodeError as error:
            raise OSError("what it left is not UTF-8") from error
    if text.endswith(("\n", "\r")):
        return edited
    return edited.removesuffix("\n").removesuffix("\r")  # editors end every last line
