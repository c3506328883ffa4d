"""Values that each thread creates for itself."""

import threading
from typing import Any


class PerThread(threading.local):
    """Attributes that each thread has for itself; a copy or an unpickled object starts without any."""

    def __reduce__(self) -> tuple[type[Any], tuple[()]]:
        return PerThread, ()
