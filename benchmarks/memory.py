"""Measures the memory of processes."""

import resource
import sys


def peak_mb(usage: resource.struct_rusage | None = None) -> float:
    """Returns the peak memory in MB of this process, or of one for which `os.wait4` returned `usage`."""
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return (usage or resource.getrusage(resource.RUSAGE_SELF)).ru_maxrss * unit / 1e6
