"""The memory of processes."""

import resource
import sys


def peak_mb(usage: resource.struct_rusage | None = None) -> float:
    """Returns the most memory that a process had, in MB: of this one so far, or of what `os.wait4` returned."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return (usage or resource.getrusage(resource.RUSAGE_SELF)).ru_maxrss * unit / 1e6
