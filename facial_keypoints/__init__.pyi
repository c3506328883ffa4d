from facial_keypoints.errors import InputError as InputError
from facial_keypoints.predictor import Predictor as Predictor
