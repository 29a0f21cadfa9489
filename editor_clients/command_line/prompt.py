"""`--interactive`: show each edit and ask what to do with it."""

from __future__ import annotations

import sys

from editor_clients.command_line import diff
from editor_clients.command_line.editing import Choice, Work
from editor_clients.command_line.meter import Meter
from editor_clients.command_line.places import Place
from editor_clients.command_line.screen import Screen
from grammars.span import Replacement, apply

_HELP = "y: keep it; n: leave the place as it is; r: roll it again; a: keep all; q: keep no more"


class Prompt:
    """Asks on standard error, reads answers from standard input; its end means q."""

    def __init__(self, screen: Screen, meter: Meter) -> None:
        self._screen, self._meter = screen, meter
        self._keeps_all = False

    def __call__(self, work: Work, place: Place, text: str) -> Choice:
        """Return the user's choice."""
        if self._keeps_all:
            return Choice.KEEP
        new = apply(work.file.text, [Replacement(place.span, text)])
        shown = diff.unified(work.file.name, work.file.text, new)
        with self._meter.paused():
            return self._asked(shown)

    def _asked(self, shown: str) -> Choice:
        colours = self._screen.uses_color(sys.stderr)
        sys.stderr.write(diff.coloured(shown) if colours else shown)
        while True:
            sys.stderr.write("keep this edit? [y,n,r,a,q,?] ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            match answer.strip().lower() if answer else "q":
                case "y":
                    return Choice.KEEP
                case "n":
                    return Choice.LEAVE
                case "r":
                    return Choice.AGAIN
                case "a":
                    self._keeps_all = True
                    return Choice.KEEP
                case "q":
                    return Choice.STOP
                case _:
                    sys.stderr.write(_HELP + "\n")
