"""Serves the web page on localhost.

python -m web.app [--port N]
"""

import atexit
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from common.options import stage_parser
from facial_keypoints import pretrained
from facial_keypoints.errors import InputError, run

HOST = "127.0.0.1"
LONGEST_KEEP_S = 24 * 3600
SESSIONS = 200  # visitors whose camera state is kept; with more, the least recent one is dropped


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves the page until Ctrl-C.

    Raises:
        InputError: the port is in use, or Gradio is not installed.
    """
    parser = stage_parser("web.app", "Serves the web page on this computer.", "--port 8080")
    parser.add_argument("--port", type=int, default=7860, metavar="N", help="port of the page (default: %(default)s)")
    parser.add_argument(
        "--keep",
        type=float,
        default=300,
        metavar="SECONDS",
        help="time after which uploads and results are deleted (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if not 0 < options.keep <= LONGEST_KEEP_S:
        raise InputError(f"--keep {options.keep}: must be above 0 and at most {LONGEST_KEEP_S:,}")
    check_port(options.port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that SIGTERM also deletes the uploads
    with tempfile.TemporaryDirectory(prefix="facial-keypoints-", ignore_cleanup_errors=True) as folder:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)  # also files that running requests write later
        serve(options.port, Path(folder), options.keep)


def check_port(port: int) -> None:
    """Raises InputError if the page cannot be served on a port."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or "no such port"
        raise InputError(f"--port {port}: cannot be used ({reason}); choose another port") from None


def serve(port: int, folder: Path, keep_s: float) -> None:
    """Serves the page; all temporary files are in `folder`."""
    uploads, drawn = folder / "uploads", folder / "examples"
    uploads.mkdir()
    drawn.mkdir()
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    try:
        import gradio as gr
    except ModuleNotFoundError:
        raise InputError("Gradio is not installed; run `make web` or `pip install -r requirements-web.txt`") from None
    from web.answers import predictor_of
    from web.cache import sweep_always
    from web.examples import write_examples
    from web.look import CSS, theme
    from web.page import build
    from web.uploads import MOST_BYTES

    for name in pretrained.shipped():
        predictor_of(name)  # fails here if a model is damaged, and the first visitor does not wait
    examples = write_examples(drawn)
    gr.set_static_paths([drawn])
    stop = threading.Event()
    threading.Thread(target=sweep_always, args=(uploads, keep_s, stop), daemon=True).start()
    print(f"http://{HOST}:{port} (press Ctrl-C to stop)", flush=True)
    try:
        build(uploads, examples).launch(
            server_name=HOST,
            server_port=port,
            max_file_size=MOST_BYTES,
            share=False,
            quiet=True,
            ssr_mode=False,
            run_history=False,
            enable_monitoring=False,
            state_session_capacity=SESSIONS,
            footer_links=["api", "settings"],
            theme=theme(),
            css=CSS,
        )
    finally:
        stop.set()


if __name__ == "__main__":
    run(main)
