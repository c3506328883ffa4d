"""The page: its components and handlers."""

from pathlib import Path

import gradio as gr

from facial_keypoints import pretrained
from facial_keypoints.array_types import UInt8
from facial_keypoints.errors import InputError
from facial_keypoints.filters.files import names
from web.answers import COLUMNS, PICTURES_AT_ONCE, Row, answer, workers
from web.components import Image
from web.look import error_scale
from web.marking import NO_FILTER
from web.streaming import Stream, follow

TITLE = "Facial keypoints"
PANE_PX = 360  # height of a picture; smaller on a phone
CAMERAS_AT_ONCE = 8  # a camera whose tab was closed counts until its time limit
WAITING = 32  # requests in the queue; more are refused
CAMERA_S = 300  # then the next one in the queue starts
FRAME_EVERY_S = 0.05
CAMERA_SIZE = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "facingMode": "user"}}
HEAD = f"""# {TITLE}
Find faces and keypoints in a picture or with your camera. Everything runs on this computer. Uploads are deleted after a
short time."""


def build(folder: Path, examples: list[Path]) -> gr.Blocks:
    """Returns the page.

    Args:
        folder: receives the files that visitors download.
        examples: example pictures.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(HEAD, elem_id="head")
        with gr.Row(elem_id="choices"):
            model = gr.Dropdown(list(pretrained.shipped()), label="Model", min_width=140)
            filter = gr.Dropdown([NO_FILTER, *names()], label="Filter", min_width=140)
            keypoints = gr.Checkbox(True, label="Keypoints", min_width=140)
        with gr.Tab("Picture"):
            _picture_tab(folder, examples, model, filter, keypoints)
        with gr.Tab("Camera"):
            _camera_tab(model, filter, keypoints)
        gr.HTML(error_scale())
    page.queue(max_size=WAITING, default_concurrency_limit=PICTURES_AT_ONCE)
    return page


def _picture_tab(folder: Path, examples: list[Path], *choices: gr.components.Component) -> None:
    with gr.Row():
        with gr.Column():
            picture = Image(
                sources=["upload", "webcam", "clipboard"],
                label="Your picture",
                height=PANE_PX,
                elem_classes="pane",
                buttons=[],
            )
            gr.Examples([[str(path)] for path in examples], picture, label="Drawn examples")
        with gr.Column():
            annotated = gr.Image(
                label="Faces",
                height=PANE_PX,
                elem_classes="pane",
                format="jpeg",
                interactive=False,
                buttons=["download"],
            )
            sentence = gr.Markdown("Choose a picture.", label="Result", elem_classes="quiet")
            with gr.Row():
                csv_file = gr.DownloadButton("CSV", size="sm", min_width=80)
                json_file = gr.DownloadButton("JSON", size="sm", min_width=80)
    with gr.Accordion("All keypoints", open=False):
        table = gr.Dataframe(headers=list(COLUMNS), label="Keypoints", show_label=False, max_height=360)

    def predict(
        picture: str | None, model: str, filter: str = NO_FILTER, keypoints: bool = True
    ) -> tuple[UInt8 | None, str, list[Row], str | None, str | None]:
        """Detects faces in a picture and predicts their keypoints, with expected errors.

        Args:
            picture: any number of faces; at most 20 MB and 40 million pixels.
            model: name of a shipped model.
            filter: filter to draw on the faces.
            keypoints: whether boxes and keypoints are drawn.

        Returns:
            The annotated picture; a sentence; one row per keypoint; and the keypoints as CSV and JSON.
        """
        if picture is None:
            return None, "Choose a picture.", [], None, None
        try:
            task = workers().submit(answer, picture, model, folder, filter=filter, keypoints=keypoints)
            result = task.result()
        except InputError as error:
            raise gr.Error(str(error), duration=None, print_exception=False) from None  # stays until it is closed
        return result.picture, result.sentence, result.rows, str(result.csv_file), str(result.json_file)

    gr.on(
        [picture.change, *(choice.change for choice in choices)],
        predict,
        [picture, *choices],
        [annotated, sentence, table, csv_file, json_file],
        api_name="predict",
        trigger_mode="always_last",
        show_progress_on=annotated,
    )


def _camera_tab(*choices: gr.components.Component) -> None:
    with gr.Row():
        camera = Image(
            sources=["webcam"],
            streaming=True,
            label="Your camera",
            height=PANE_PX,
            elem_classes="pane",
            buttons=[],
            webcam_options=gr.WebcamOptions(mirror=True, constraints=CAMERA_SIZE),
        )
        annotated = Image(label="Faces", height=PANE_PX, elem_classes="pane", interactive=False, buttons=[])
    stream = gr.State(None, delete_callback=lambda stream: stream and stream.end())  # when a visitor leaves

    def watch(
        frame: UInt8 | None, stream: Stream | None, model: str, filter: str, keypoints: bool
    ) -> tuple[UInt8 | None, Stream | None]:
        if frame is None:
            if stream is not None:
                stream.end()
            return None, None
        return follow(frame, stream, model, filter=filter, keypoints=keypoints)

    camera.stream(
        watch,
        [camera, stream, *choices],
        [annotated, stream],
        stream_every=FRAME_EVERY_S,
        time_limit=CAMERA_S,
        concurrency_limit=CAMERAS_AT_ONCE,
        show_progress="hidden",
        api_visibility="private",
    )
