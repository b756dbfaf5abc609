"""`python -m tests.embedded.differential record|verify|show [STORY …]`, with KUBEBUILDER_ASSETS for the first two.

record: play the stories on the real kube-apiserver and keep its answers. verify: say where they are not as recorded.
show: play them on our own server and print every difference from what is recorded, listed ones with `=`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_smi.embedded.realapi import assets
from tests.embedded.differential import listing, servers
from tests.embedded.differential.difference import Difference, differences
from tests.embedded.differential.story import Story, stories

if TYPE_CHECKING:
    from tests.embedded.differential.player import Player


def main() -> int:
    """Exit status 1 when verify finds something, or show something that is not listed."""
    parser = argparse.ArgumentParser(prog="python -m tests.embedded.differential", description=__doc__)
    parser.add_argument("what", choices=("record", "verify", "show"))
    parser.add_argument("stories", nargs="*", metavar="STORY")
    wish = parser.parse_args()
    chosen = [one for one in stories() if not wish.stories or one.name in wish.stories]
    with tempfile.TemporaryDirectory() as folder:
        if wish.what == "show":
            with servers.ours(Path(folder)) as player:
                return _show(player, chosen)
        found = assets.find(os.environ)
        if found is None:
            sys.exit(f"{assets.VARIABLE} names no folder with etcd and kube-apiserver")
        with servers.real(found, Path(folder)) as player:
            return _record(player, chosen) if wish.what == "record" else _verify(player, chosen)


def _record(player: Player, chosen: list[Story]) -> int:
    for story in chosen:
        servers.write(story.name, servers.play(player, story))
    servers.write_version(player.version())
    print(f"recorded {len(chosen)} stories of {player.version()}")
    return 0


def _verify(player: Player, chosen: list[Story]) -> int:
    found = [one for story in chosen for one in _against_recorded(player, story)]
    for one in found:
        print(one)
    print(f"{player.version()}: {len(found)} differences from what is recorded of {servers.recorded_version()}")
    return 1 if found else 0


def _show(player: Player, chosen: list[Story]) -> int:
    found = [one for story in chosen for one in _against_recorded(player, story)]
    fresh = listing.unlisted(found, listing.read(listing.PAGE.read_text()))
    for one in found:
        print("" if one in fresh else "= ", one, sep="")
    print(f"{len(found)} differences from {servers.recorded_version()}, {len(fresh)} of them not listed")
    return 1 if fresh else 0


def _against_recorded(player: Player, story: Story) -> list[Difference]:
    return differences(story.name, servers.recorded(story.name), servers.play(player, story))


sys.exit(main())
