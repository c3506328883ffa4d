"""The benchmark of `scale_out.score` counts every process that the command starts, and no other."""

import os
import subprocess
import sys

from benchmarks.scale_out import descendants

START_ANOTHER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
input()
"""


def test_descendants_are_children_and_grandchildren() -> None:
    command = [sys.executable, "-c", START_ANOTHER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert {child.pid, grandchild} <= set(descendants(os.getpid()))
        assert descendants(child.pid) == [child.pid, grandchild]
        child.communicate("\n")
