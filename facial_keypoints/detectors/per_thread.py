"""What each thread makes for itself."""

import threading
from typing import Any


class PerThread(threading.local):
    """Values of a thread's own; a copy, or one in another process, begins without any."""

    def __reduce__(self) -> tuple[type[Any], tuple[()]]:
        return PerThread, ()
