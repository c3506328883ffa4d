"""Camera frames: JPEG data URLs in and out; other or too large data is rejected before it is decoded."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from facial_keypoints.errors import InputError
from web.components import FRAME_CHARACTERS, decode_frame, encode_frame


def data_url(content: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 20)).save(file, "JPEG")
    return file.getvalue()


def test_encoded_and_decoded_frame_keeps_its_colors() -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :32] = 200, 40, 20
    decoded = decode_frame(encode_frame(frame))
    assert decoded.shape == frame.shape
    np.testing.assert_allclose(decoded[:, :16].reshape(-1, 3).astype(int), [[200, 40, 20]] * 16 * 48, atol=4)
    assert np.abs(decoded.astype(int) - frame).mean() < 4


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not JPEG"),
        ("data:image/jpeg;base64,#", "not JPEG"),
        (data_url(b"GIF89a"), "not JPEG"),
        (data_url(b"\xff\xd8nothing"), "damaged"),
        (data_url(jpeg(4000, 1001)), "4000 x 1001, more than 4 million pixels"),
        ("data:image/jpeg;base64," + "A" * FRAME_CHARACTERS, "too large"),
    ],
)
def test_invalid_frames_are_rejected_with_a_message(url: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as rejected:
        decode_frame(url)
    assert str(rejected.value).endswith(".")


def test_frame_with_an_unreadable_header_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(picture: object) -> None:
        raise SyntaxError("no marker found")

    monkeypatch.setattr(Image, "open", fails)
    with pytest.raises(InputError, match="damaged"):
        decode_frame(data_url(jpeg(64, 48)))
