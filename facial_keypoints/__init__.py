"""Facial keypoints: keypoint sets, geometry, and a predictor for pictures of faces.

from facial_keypoints.predictor import Predictor
"""
