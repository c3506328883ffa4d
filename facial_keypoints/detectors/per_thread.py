"""Values that each thread makes for itself."""

import threading
from typing import Any


class PerThread(threading.local):
    """Attributes that each thread has for itself; a copy, or a pickled one, starts without any."""

    def __reduce__(self) -> tuple[type[Any], tuple[()]]:
        return PerThread, ()
