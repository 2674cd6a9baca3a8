"""Compiles indexer/ogmios/scan.c into the package, where there is a C compiler; does without where there is none."""

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LIBRARY = "indexer/ogmios/scan.bin"  # not .so, which would look like a module of Python's
FLAGS = ("-O2", "-std=c11", "-shared", "-fPIC")


class Scan(BuildHookInterface[Any]):
    """A plain shared library, loaded with ctypes: it needs no headers of Python's, and suits every version of it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # hatchling's signature
        """Called before a wheel, an editable one too, is put together."""
        library = Path(self.root) / LIBRARY
        reasons = []
        for compiler in (shlex.split(sysconfig.get_config_var("CC") or "cc"), ["cc"]):
            try:
                command = [*compiler, *FLAGS, "-o", str(library), str(library.with_suffix(".c"))]
                subprocess.run(command, check=True, capture_output=True, text=True)
            except (OSError, subprocess.CalledProcessError) as error:
                reasons.append(str(getattr(error, "stderr", error)))
            else:
                build_data["artifacts"].append(LIBRARY)
                build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
                return
        library.unlink(missing_ok=True)
        print("scan.c was not compiled; catching up will take longer:", *reasons, sep="\n", file=sys.stderr)
