"""Builds the modules that pyproject.toml lists into machine code, when asked to: HATCH_BUILD_HOOK_ENABLE_CUSTOM=1.

Leaves everything else of the wheel to hatchling, and the rule which modules may be listed to tests/test_compiled.py.
Nothing is written into the source tree: an editable install must never import what an earlier build left behind.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

GROUP = "gateway"
"""The machine code of all modules lies in one file, `gateway__mypyc`, so that they call each other directly."""


class CompileHook(BuildHookInterface[Any]):
    """Adds machine code beside the sources; Python prefers it when it imports."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and tell hatchling what to put where. Raises SystemExit where no compiler is, or types are wrong."""
        if version == "editable":
            raise SystemExit("gateway: an editable install stays pure Python; build a wheel (make compiled)")
        if missing := missing_tools():
            raise SystemExit(
                f"gateway: the compiled build needs {' and '.join(missing)}. On Debian: apt-get install gcc python3-dev"
            )
        place = tempfile.TemporaryDirectory(prefix="gateway-compiled-")
        self._place = place  # until hatchling has copied the files
        for built in compiled(Path(self.root), list(self.config["modules"]), Path(place.name)):
            build_data["force_include"][str(built)] = str(built.relative_to(Path(place.name, "lib")))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is written: remove what it was made of."""
        self._place.cleanup()


def missing_tools() -> list[str]:
    """What a build needs and does not find, in words."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_path("include"), "Python.h")
    wanted = {
        f"a C compiler ({compiler})": shutil.which(compiler) is not None,
        f"the headers of Python ({header})": header.is_file(),
    }
    return [name for name, is_there in wanted.items() if not is_there]


def compiled(root: Path, modules: list[str], place: Path) -> list[Path]:
    """Compile the modules below `root`; the paths of the built files, all below `place`/lib."""
    from mypyc.build import mypycify  # noqa: PLC0415 - a plain wheel is built without it
    from setuptools import Distribution  # noqa: PLC0415

    before = Path.cwd()
    os.chdir(root)  # mypyc names a module by its path below the working directory
    try:
        extensions = mypycify(
            ["--config-file", "pyproject.toml", "--cache-dir", str(place / "cache"), *modules],
            opt_level="3", debug_level="0", target_dir=str(place / "c"), group_name=GROUP,
        )  # fmt: skip
        command = Distribution({"name": "gateway", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(place / "lib"), str(place / "objects")
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
    built = sorted((place / "lib").rglob(f"*{sysconfig.get_config_var('EXT_SUFFIX')}"))
    if len(built) != len(modules) + 1:
        sys.exit(f"gateway: {len(built)} files were built of {len(modules)} modules")
    return built
