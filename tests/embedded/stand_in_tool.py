"""kind, k3d and minikube as stand-ins on PATH, which know the commands that their documentation tells of.

They note each command, and their clusters are all one and the same: the embedded cluster whose kubeconfig lies in their
folder. Installed as a program, this file keeps to the standard library. What it is told by files in its folder: `slow`,
the next creation does not end by itself; `broken`, every creation fails with the file's text.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

FOLDER = "STAND_IN_FOLDER"


class Tools:
    """The test's side: installs the stand-ins in a folder and reads what was asked of them."""

    def __init__(self, folder: Path, kubeconfig: Path | None) -> None:
        assert kubeconfig
        self.folder = folder
        self.env = {FOLDER: str(folder), "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        (folder / "bin").mkdir(parents=True)
        (folder / "theirs").write_text(kubeconfig.read_text())
        self.set_clusters()
        program = f"#!{sys.executable}\n" + Path(__file__).read_text()
        for name in ("kind", "k3d", "minikube"):
            path = folder / "bin" / name
            path.write_text(program)
            path.chmod(0o755)

    def set_clusters(self, *names: str) -> None:
        """The clusters that there are."""
        (self.folder / "clusters").write_text("".join(f"{name}\n" for name in names))

    @property
    def clusters(self) -> list[str]:
        return (self.folder / "clusters").read_text().split()

    def asked(self, *words: str) -> list[list[str]]:
        """The command lines so far that have all of these words, or that many if none is given."""
        log = self.folder / "log"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [line for line in lines if set(words) <= set(line)]


def main() -> None:
    folder, tool, words = Path(os.environ[FOLDER]), Path(sys.argv[0]).name, sys.argv[1:]
    with (folder / "log").open("a") as log:
        log.write(json.dumps([tool, *words]) + "\n")
    actions: dict[tuple[str, ...], Callable[[], None]] = {
        ("kind", "get", "clusters"): lambda: print("\n".join(clusters(folder))),
        ("kind", "create", "cluster"): lambda: create(folder, after("--name"), after("--kubeconfig")),
        ("kind", "get", "kubeconfig"): lambda: config(folder, after("--name")),
        ("kind", "load", "docker-image"): lambda: known(folder, after("--name")),
        ("kind", "delete", "cluster"): lambda: delete(folder, after("--name")),
        ("k3d", "cluster", "list"): lambda: print(json.dumps([{"name": one} for one in clusters(folder)])),
        ("k3d", "cluster", "create"): lambda: create(folder, words[2], ""),
        ("k3d", "kubeconfig", "get"): lambda: config(folder, words[2]),
        ("k3d", "image", "import"): lambda: known(folder, after("--cluster")),
        ("k3d", "cluster", "delete"): lambda: delete(folder, words[2]),
        ("minikube", "profile", "list"): lambda: profiles(folder),
        ("minikube", "start", "--profile"): lambda: create(folder, after("--profile"), os.environ["KUBECONFIG"]),
        ("minikube", "update-context", "--profile"): lambda: config(
            folder, after("--profile"), os.environ["KUBECONFIG"]
        ),
        ("minikube", "image", "load"): lambda: known(folder, after("--profile")),
        ("minikube", "delete", "--profile"): lambda: delete(folder, after("--profile")),
    }
    action = actions.get((tool, *words[:2]))
    if action is None:
        fail(f"unknown command {' '.join(words)!r} for {tool}")
    action()


def after(flag: str) -> str:
    return sys.argv[sys.argv.index(flag) + 1]


def fail(why: str) -> NoReturn:
    print(f"ERROR: {why}", file=sys.stderr)
    sys.exit(1)


def clusters(folder: Path) -> list[str]:
    return (folder / "clusters").read_text().split()


def known(folder: Path, name: str) -> None:
    if name not in clusters(folder):
        fail(f"no cluster {name}")


def create(folder: Path, name: str, private: str) -> None:
    if (folder / "broken").exists():
        fail((folder / "broken").read_text())
    if name in clusters(folder):
        fail(f"a cluster {name} exists already")
    with (folder / "clusters").open("a") as file:
        file.write(f"{name}\n")
    if (folder / "slow").exists():
        (folder / "slow").rename(folder / "slow-now")
        time.sleep(600)
    if private:
        Path(private).write_text((folder / "theirs").read_text())


def config(folder: Path, name: str, private: str = "") -> None:
    known(folder, name)
    if private:
        Path(private).write_text((folder / "theirs").read_text())
    else:
        print((folder / "theirs").read_text())


def profiles(folder: Path) -> None:
    print(json.dumps({"invalid": [], "valid": [{"Name": one} for one in clusters(folder)]}))


def delete(folder: Path, name: str) -> None:
    left = [one for one in clusters(folder) if one != name]
    (folder / "clusters").write_text("".join(f"{one}\n" for one in left))


if __name__ == "__main__":
    main()
