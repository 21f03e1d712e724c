"""Make a virtual environment, on a bare Debian machine too: there `venv` is a package of its own."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

APT = ["apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]


def main(folder: str) -> None:
    """Make the environment; install Debian's python3-venv first where it is missing and we may."""
    if sys.version_info < (3, 11):
        sys.exit(f"Wiretape needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Set PYTHON=…")
    try:
        import ensurepip  # noqa: F401, PLC0415  Debian splits it off
    except ImportError:
        _install_venv()
    if not Path(folder, "bin", "python").exists():
        venv.create(folder, with_pip=True)


def _install_venv() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit("Python has no ensurepip here. On Debian: apt-get install python3-venv")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for words in (["update"], ["install", "--yes", "python3-venv"]):
        subprocess.run([*APT, *words], check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603


if __name__ == "__main__":
    main(sys.argv[1])
