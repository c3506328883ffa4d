"""The web page: keypoints and filters on pictures and before a camera, on localhost."""
