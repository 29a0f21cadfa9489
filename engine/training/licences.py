"""Which licences the corpus takes: permissive ones alone, each by its SPDX identifier."""

from __future__ import annotations

import re
from importlib.metadata import Distribution

PERMISSIVE = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "HPND"),
        *("ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    )
)

# What older metadata says instead of an identifier, in lower case.
_OLD_NAMES = {
    "mit license": "MIT",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "new bsd": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "isc license (iscl)": "ISC",
    "python software foundation license": "PSF-2.0",
    "zlib/libpng license": "Zlib",
    "the unlicense (unlicense)": "Unlicense",
    **{name.lower(): name for name in PERMISSIVE},
}
_UNKNOWN = "unknown"

_COPYLEFT = re.compile(
    r"GNU (Lesser |Library |Affero )?General Public|Mozilla Public License|\bL?A?GPL\b"
    r"|Eclipse Public License|SPDX-License-Identifier:[^\n]*(GPL|MPL|EPL|CDDL)"
    r"|All rights reserved\. NVIDIA|PROPRIETARY",
)


def is_permissive(expression: str) -> bool:
    """Tell whether an SPDX expression asks for permissive licences only.

    One permissive choice of a plain `A OR B` is enough; of a mixed expression every name must be.
    """
    plain = re.sub(r"\s+WITH\s+LLVM-exception", "", expression)
    names = re.findall(r"[\w.+-]+", plain)
    licences = [name for name in names if name not in ("AND", "OR", "WITH")]
    known = [name in PERMISSIVE for name in licences]
    if "WITH" in names or not known:
        return False
    return any(known) if "OR" in names and "AND" not in names else all(known)


def licence_of(distribution: Distribution) -> str:
    """Return an installed distribution's licence as an SPDX expression, "unknown" if it is none."""
    metadata = distribution.metadata
    if expression := metadata.get_all("License-Expression"):
        return str(expression[0])
    classifiers = [
        str(line).rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if str(line).startswith("License :: ") and str(line) != "License :: OSI Approved"
    ]
    stated = classifiers or [str(line) for line in metadata.get_all("License") or [_UNKNOWN]]
    names = {_OLD_NAMES.get(name.strip().lower(), _UNKNOWN) for name in stated}
    return _UNKNOWN if _UNKNOWN in names else " AND ".join(sorted(names))


def is_copyleft_header(text: str) -> bool:
    """Tell whether a file's head names another licence than its package's permissive one."""
    return _COPYLEFT.search(text[:4000]) is not None
