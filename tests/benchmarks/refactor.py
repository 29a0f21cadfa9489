"""Try the command line on real projects: holes, queries, rewrites, checks, patch, undo, kill -9.

    python -m tests.benchmarks.refactor WORK_FOLDER [--rewrites 17] [--kills 10] [--json OUT]

Fetches the sdists of three permissively licensed projects by pip, makes a repository of each, and
asks the default model for small rewrites, one a file, each kept only if tests of the project pass.
Their tests need pytest and hypothesis.
A part that is done is not done again: delete WORK_FOLDER/results.json to start anew. It prints a
table of what it saw.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HINTS = "Add type hints to the parameters and the return value."
QUERIES = {
    "calls of print": '((call function: (identifier) @_f) @it (#eq? @_f "print"))',
    "bare except": "((except_clause . (block)) @it)",
    "function definitions": "(function_definition name: (identifier) @it)",
}
RARE = '((identifier) @it (#eq? @it "no_such_name_anywhere"))'
SCAN_FILES, MANY_FILES = 10_000, 100_000


@dataclass(frozen=True)
class Project:
    sdist: str
    package: str  # the folder with its source
    licence: str
    tests: tuple[str, ...]


PROJECTS = (
    Project(
        "networkx==3.4.2",
        "networkx",
        "BSD-3-Clause",
        ("networkx/algorithms/tests/test_dag.py", "networkx/utils/tests"),
    ),
    Project(
        "pygments==2.21.0",
        "pygments",
        "BSD-2-Clause",
        ("tests/test_util.py", "tests/test_token.py", "tests/test_regexlexer.py"),
    ),
    Project(
        "sympy==1.13.3",
        "sympy",
        "BSD-3-Clause",
        ("sympy/core/tests/test_basic.py", "sympy/utilities/tests/test_misc.py"),
    ),
)


def diffill(folder: Path, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["diffill", *args], cwd=folder, capture_output=True, text=True, check=False, **options
    )


def git(folder: Path, *args: str) -> None:
    names = ("-c", "user.name=trial", "-c", "user.email=trial@localhost")
    subprocess.run(["git", *names, *args], cwd=folder, check=True, capture_output=True)


def unpacked(project: Project, work: Path) -> Path:
    """Return the project's folder, a repository with one commit."""
    name, _, version = project.sdist.partition("==")
    folder = work / f"{name}-{version}"
    if not (folder / ".git").exists():
        shutil.rmtree(folder, ignore_errors=True)
        archive = work / f"{folder.name}.tar.gz"
        if not archive.exists():
            pip = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--no-binary",
                ":all:",
            ]
            subprocess.run([*pip, "-d", work, project.sdist], check=True)
        with tarfile.open(archive) as tar:
            tar.extractall(work, filter="data")
        (folder / ".gitignore").write_text("__pycache__/\n.hypothesis/\n.pytest_cache/\n")
        git(folder, "init", "-q")
        git(folder, "add", "-A", "-f")
        git(folder, "commit", "-qm", "sdist")
    git(folder, "checkout", "-q", "--", ".")
    return folder


def bytes_of(folder: Path) -> dict[str, str]:
    """Return the hash of every file git could know."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", "__pycache__"} & set(path.relative_to(folder).parts)
    }


def findings(folder: Path, package: str, count: int) -> list[dict[str, Any]]:
    """Return small functions and what is to be done to them, as ruff would report them.

    One a file, spread over the project; files with tests of their own come first.
    """
    found: list[tuple[bool, dict[str, Any]]] = []
    for path in sorted((folder / package).rglob("*.py")):
        if "tests" in path.parts or path.name == "__init__.py":
            continue
        with contextlib.suppress(SyntaxError):
            if function := next(small_functions(ast.parse(path.read_bytes())), None):
                finding = {
                    "filename": str(path),
                    "code": None,
                    "message": HINTS,
                    "location": {"row": function.lineno, "column": 1},
                    "end_location": {"row": function.end_lineno, "column": 999},
                }
                found.append((own_test(path) is None, finding))
    tested = [finding for lacks, finding in found if not lacks]
    chosen = tested if len(tested) >= count else [finding for _, finding in found]
    return chosen[:: max(1, len(chosen) // count)][:count]


def small_functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    inner = [node for top in tree.body if isinstance(top, ast.ClassDef) for node in top.body]
    for node in [*tree.body, *inner]:
        if not isinstance(node, ast.FunctionDef) or node.decorator_list or node.returns:
            continue
        assert node.end_lineno
        arguments = [a for a in node.args.args if a.arg != "self"]
        if (
            arguments
            and not any(a.annotation for a in arguments)
            and 1 <= node.end_lineno - node.lineno <= 7
        ):
            yield node


def own_test(path: Path) -> Path | None:
    test = path.parent / "tests" / f"test_{path.stem}.py"
    return test if test.exists() else None


def run_tests(file: Path, tests: list[str]) -> int:
    """Run the tests beside a file, where they are quick, and those of the project."""
    own = [str(test)] if (test := own_test(file)) and "sympy" not in file.parts else []
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *own, *tests]
    return subprocess.run(command, check=False).returncode


class Trial:
    def __init__(self, work: Path, rewrites: int, kills: int) -> None:
        self.work, self.rewrites, self.kills = work, rewrites, kills
        self._path = work / "results.json"
        self.results: dict[str, Any] = (
            json.loads(self._path.read_text()) if self._path.exists() else {}
        )

    def once(self, name: str, part: Callable[[], dict[str, Any]]) -> None:
        if name not in self.results:
            print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
            self.results[name] = part()
            self._path.write_text(json.dumps(self.results, indent=1))

    def run(self) -> None:
        folders = {project: unpacked(project, self.work) for project in PROJECTS}
        for project, folder in folders.items():
            self.once(f"{project.package}: look", lambda p=project, f=folder: look(p, f))
            self.once(f"{project.package}: edit", lambda p=project, f=folder: self.edit(p, f))
        project, folder = next(iter(folders.items()))
        self.once("kill -9", lambda: self.kill(project, folder))
        self.scan(list(folders.values()))

    def command(self, project: Project, folder: Path) -> list[str]:
        """Return the arguments of the rewrites."""
        places = self.work / f"{project.package}.json"
        places.write_text(json.dumps(findings(folder, project.package, self.rewrites)))
        check = [sys.executable, __file__, "--test-of", "{file}", *project.tests]
        return [
            *("rewrite", "--diagnostics", str(places), "--instruction", "{message}"),
            *("--write", "--effort", "quick", "--timeout", "120"),
            *("--check-cmd", " ".join(check)),
        ]

    def edit(self, project: Project, folder: Path) -> dict[str, Any]:
        before = bytes_of(folder)
        patch = self.work / f"{project.package}.patch"
        began = time.monotonic()
        args = self.command(project, folder)
        done = diffill(folder, *args, "--json", "--patch", str(patch))
        seconds = time.monotonic() - began
        print(done.stderr, file=sys.stderr)
        summary = json.loads(done.stdout)["summary"]
        after = bytes_of(folder)
        tests = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *project.tests],
            cwd=folder,
            check=False,
            capture_output=True,
        )
        undo = diffill(folder, "undo")
        is_restored = bytes_of(folder) == before
        applied = subprocess.run(["git", "apply", patch], cwd=folder, check=False)
        is_same = bytes_of(folder) == after
        git(folder, "checkout", "-q", "--", ".")
        return {
            "asked": summary["spans"],
            "edited": summary["edited"],
            "refused by the gate": summary["invalid"],
            "failed": summary["failed"],
            "written": summary["written"],
            "rolled back": summary["changed"] - summary["written"],
            "tests pass after": tests.returncode == 0,
            "git apply": applied.returncode == 0 and is_same,
            "undo restores every byte": undo.returncode == 0 and is_restored,
            "seconds": round(seconds),
            "tokens": summary["tokens"],
            "model seconds": round(summary["seconds"]),
        }

    def kill(self, project: Project, folder: Path) -> dict[str, Any]:
        """Kill runs of four edits at random moments; the answers add up by --resume."""
        before, dice = bytes_of(folder), random.Random(8)
        halves = lost = mixed = begun = 0
        moments: list[float] = []
        command = [*self.command(project, folder), "--max-spans", "4", "--atomic", "--resume"]
        for _ in range(self.kills):
            moments.append(round(dice.uniform(5, 60), 1))
            process = subprocess.Popen(
                ["diffill", *command],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(moments[-1])
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            now, whole = bytes_of(folder), self.journalled()
            halves += sum(
                now.get(name) not in whole
                for name in changed(now, before)
                if not name.endswith(".diffill")  # new bytes on their way: no file of the user's
            )
            diffill(folder, "holes", "setup.py")  # any command recovers
            found = changed(bytes_of(folder), before)
            begun += bool(now != before)
            mixed += bool(found and process.returncode)
            if found:
                diffill(folder, "undo")
            lost += bytes_of(folder) != before
            git(folder, "checkout", "-q", "--", ".")
        return {
            "kills": self.kills,
            "after seconds": moments,
            "killed while files were written": begun,
            "half-written files": halves,
            "--atomic left some written": mixed,
            "bytes not restored": lost,
        }

    def journalled(self) -> set[str]:
        """Return the hashes of all files as runs meant to leave them."""
        logs = self.work.glob("state/journal/*/entries.jsonl")
        records = [json.loads(line) for log in logs for line in log.read_text().split("\n")[:-1]]
        return {record["after"] for record in records if "after" in record}

    def scan(self, folders: list[Path]) -> None:
        """Look for queries in 10,000 files, and for a rare one in 100,000."""
        sources = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
        few, many = (self.work / f"tree-{count}" for count in (SCAN_FILES, MANY_FILES))
        for tree, count in ((few, SCAN_FILES), (many, MANY_FILES)):
            for number in range(0 if tree.exists() else count):
                source = sources[number % len(sources)]
                target = tree / f"{number // 1000:03}" / f"{number:06}_{source.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(source, target)
        for name, query in QUERIES.items():
            command = ["diffill", "holes", "--query", query, str(few)]
            self.once(f"{SCAN_FILES:,} files: {name}", lambda c=command: measured(c))
        command = ["diffill", "holes", "--query", RARE, str(many)]
        self.once(f"{MANY_FILES:,} files: a rare name", lambda: measured(command))
        self.once(
            f"{MANY_FILES:,} files: first progress on a terminal",
            lambda: {"seconds": first_progress(command)},
        )


def look(project: Project, folder: Path) -> dict[str, Any]:
    files = sum(1 for _ in folder.rglob("*.py"))
    assert files >= 300
    holes = diffill(folder, "holes", "--json").stdout.count("\n")
    places = {
        name: diffill(folder, "holes", "--query", query, "--json").stdout.count("\n")
        for name, query in QUERIES.items()
    }
    return {"files": files, "licence": project.licence, "holes": holes} | places


def changed(now: dict[str, str], before: dict[str, str]) -> list[str]:
    return [name for name in now | before if now.get(name) != before.get(name)]


def measured(command: list[str]) -> dict[str, Any]:
    """Return wall time, CPU time and peak memory (of the largest process) of a command."""
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        lines = sum(1 for _ in process.stdout)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    seconds = time.monotonic() - began
    return {
        "seconds": round(seconds, 1),
        "CPU seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak MB": usage.ru_maxrss // 1024,
        "places": lines,
    }


def first_progress(command: list[str]) -> float:
    """Return after how many seconds something is to be seen."""
    leader, follower = pty.openpty()
    began = time.monotonic()
    env = os.environ | {"TERM": "xterm"}
    process = subprocess.Popen(
        command, stdin=follower, stdout=subprocess.DEVNULL, stderr=follower, env=env
    )
    os.close(follower)
    shown = b""
    while b"listing" not in shown:
        shown += os.read(leader, 4096)
    seconds = time.monotonic() - began
    process.kill()
    process.wait()
    os.close(leader)
    return round(seconds, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--rewrites", type=int, default=17, help="of each project")
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    os.environ["DIFFILL_STATE"] = str(work / "state")
    trial = Trial(work, options.rewrites, options.kills)
    trial.run()
    for name, values in trial.results.items():
        print(f"\n{name}")
        for what, value in values.items():
            told = (
                ", ".join(f"{k} {v}" for k, v in value.items())
                if isinstance(value, dict)
                else value
            )
            print(f"  {what:40} {told}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--test-of"]:
        sys.exit(run_tests(Path(sys.argv[2]), sys.argv[3:]))
    main()
