"""The web page: keypoints and filters for pictures and the camera, on localhost."""
