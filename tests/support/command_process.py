"""The command line as a real process, on a scripted engine."""

import os
import subprocess
import sys
from pathlib import Path

import scripted_engine

ROOT = Path(scripted_engine.__file__).parents[2]
START = (
    "import os, sys, scripted_engine\n"
    "from editor_clients.command_line.main import main\n"
    "open_engine = scripted_engine.opener(sys.argv[1])\n"
    "def said(on_status):\n"
    "    def ready(status):\n"
    "        os.write(2, b'READY\\n' if status.state == 'ready' else b'\\n')\n"
    "    return open_engine(ready)\n"
    "sys.exit(main(sys.argv[2:], open_engine=said))\n"
)


def start(mode, *args, more_env=None, **options):
    env = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests' / 'support'}"} | (more_env or {})
    command = [sys.executable, "-c", START, mode, *map(str, args)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=env, text=True, **pipes | options)


def wait_until_ready(process, word="READY"):
    for line in process.stderr:
        if line == f"{word}\n":
            return
    raise AssertionError("the engine never was ready")
