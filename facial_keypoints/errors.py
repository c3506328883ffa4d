"""Reports bad input as one line without a traceback, and sets the exit codes of commands."""

import errno
import io
import os
import sys
from collections.abc import Callable, Sequence

from facial_keypoints.telemetry import switch_off

EXIT_DONE, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 2, 130
SHORT_CHARACTERS = 240
NAMES_SHOWN = 5  # in a message


class InputError(ValueError):
    """Bad input, which the user can fix: one line that names the file, the row, what is wrong and what to do.

    Example:
        >>> from facial_keypoints import InputError, Predictor
        >>> try:
        ...     Predictor("v2").predict("missing.jpg")
        ... except InputError as error:
        ...     print(error)
        missing.jpg: no such file; give a picture
    """


def run(main: Callable[[], None]) -> None:
    """Runs a command and exits with its code; see `exit_code`.

    Every command, stage and page starts here, before it imports a package that has telemetry.
    """
    switch_off()
    sys.exit(exit_code(main))


def exit_code(main: Callable[[], None]) -> int:
    """Runs a command and returns its exit code: 0 done, 2 bad input (one line on stderr), 130 Ctrl-C."""
    code = EXIT_DONE
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # escapes characters that it cannot encode, for instance in file names
            stream.reconfigure(errors="backslashreplace")
    try:
        main()
    except InputError as error:
        code = fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of the output has ended, for instance `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except UnicodeEncodeError as error:
        if sys.getfilesystemencoding() == "utf-8":
            raise
        around = error.object[max(0, error.start - 40) : error.end + 40]  # the text can be a whole table
        code = fail(f"{around}: {unprintable_name()}")
    except OSError as error:
        if (reason := os_error_reason(error)) is None:
            raise
        code = fail(reason)
    return code


def os_error_reason(error: OSError) -> str | None:
    """Returns the fault and the fix, for file-system errors that a user can fix; None for others."""
    where, what = error.filename or "the output folder", error.strerror or str(error)
    if error.errno in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG):  # numpy's incomplete writes have no number
        return f"{where}: could not be written completely ({what}); free some space or choose another --out"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{where}: {what}; change its permissions or choose another folder"
    if error.errno == errno.ENAMETOOLONG:
        return f"{where}: {what}; give a shorter name"
    if error.errno in (errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
        return f"{where}: {what}; a file is where a folder is needed, or a folder where a file is needed"
    return None


def one_line(error: BaseException | str) -> str:
    """Returns the message of another library's error as one short line; its class name if it has no message."""
    return " ".join(str(error).split())[:SHORT_CHARACTERS] or type(error).__name__


def listed(names: Sequence[str], most: int = NAMES_SHOWN) -> str:
    """Returns the first names and how many more there are, for messages."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def counted(number: int, one: str, many: str = "") -> str:
    """Returns `1 face`, `2,000 faces`, `2 labels without a name`; without `many`, adds s to the first word."""
    first, *others = one.split(" ")
    return f"{number:,} {one if number == 1 else many or ' '.join([first + 's', *others])}"


def printable(text: str) -> str:
    """Returns a text that can be printed and written; escapes bytes that are not UTF-8, as in some file names."""
    return text.encode("utf-8", "backslashreplace").decode()


def unprintable_name() -> str:
    """Returns the fault of a file name that `printable` changes, and the fix."""
    if sys.getfilesystemencoding() == "utf-8":
        return "its name is not valid UTF-8; rename it"
    return "its name has characters that this locale does not have; set PYTHONUTF8=1"


def fail(message: str) -> int:
    """Prints one line to stderr and returns the exit code of bad input."""
    print(f"error: {printable(' '.join(message.split()))}", file=sys.stderr)
    return EXIT_BAD_INPUT
