"""Starts one program and prints what it used. A process of its own, and a small one.

The kernel counts the memory of whoever starts a program into that program's peak, until it has begun. So the process
that starts it must be smaller than everything that is measured, and imports nothing that is large.
"""

import json
import os
import sys
import time


def main() -> int:
    """Run the program that the arguments name; print wall seconds, CPU seconds and peak bytes as JSON."""
    started = time.perf_counter()
    pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    # wait4 counts the children that the program waited for, too.
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - started
    print(json.dumps({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "peak_rss": usage.ru_maxrss * 1024}))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
