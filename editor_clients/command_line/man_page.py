"""Make the man page of `diffill` from its own arguments, whenever a wheel is built.

A wheel's shared data lands in `share/man/man1` of its environment, where `man` looks for the
commands on the PATH.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from argparse_manpage.manpage import Manpage
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ENVIRONMENT = """\
.TP
.B DIFFILL_CACHE, DIFFILL_CONFIG, DIFFILL_STATE, DIFFILL_RUNTIME
The folders of fetched models, of the user's settings, of the journal that
.B diffill undo
reads, and of the shared engine's socket.
.TP
.B DIFFILL_EFFORT, DIFFILL_MODEL
and the like: settings, as
.B diffill config
prints them.
.TP
.B DIFFILL_DEVICE, DIFFILL_DEVICE_GB, DIFFILL_PRECISION
Where models run, as
.B cuda
(the default is
.BR cpu ),
how much of its memory they may take, and the numbers they are kept in.
.TP
.B DIFFILL_ADAPTER
An adapter's file, in place of the one that is shipped.
.TP
.B NO_COLOR
No colours, unless
.B \\-\\-color
asks for them.
.TP
.B VISUAL, EDITOR
The editor of
.BR \\-\\-interactive .
"""


class ManPageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the page to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the page and tell where it goes."""
        sys.path.insert(0, self.root)
        path = Path(self.directory) / "diffill.1"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(man_page(self.metadata.version), encoding="utf-8")
        build_data["shared_data"][str(path)] = "share/man/man1/diffill.1"


def man_page(version: str) -> str:
    """Return the page in the language of `man`."""
    from editor_clients.command_line import arguments

    os.environ["COLUMNS"] = "78"  # usage lines are broken to fit
    parser = arguments.parser()
    examples, _, codes = (parser.epilog or "").partition("\n\n")
    what, parser.description, parser.epilog = parser.description or "", None, None
    for action in parser._actions:
        for command in (getattr(action, "choices", None) or {}).values():
            command.description, command.epilog = command.epilog, None
    page = Manpage(parser, format="single-commands-section")
    page.date, page.source, page.manual = "", f"Diffill {version}", "Diffill"
    page.description = f"{what[:1].lower()}{what[1:].rstrip('.')}"
    page.add_section("examples", "=", _as_it_is(examples.partition("\n")[2]))
    page.add_section("exit status", "=", _as_it_is(codes.partition("\n")[2]))
    page.add_section("environment", "=", _ENVIRONMENT)
    indented = r"^(usage: .*\n(?:  .*\n)*|examples:\n(?:  .*\n?)+)"
    text = re.sub(indented, r".nf\n\1\n.fi\n", str(page), flags=re.MULTILINE)
    return re.sub(r"\n{2,}", "\n", text)


def _as_it_is(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f".nf\n{escaped}\n.fi"
