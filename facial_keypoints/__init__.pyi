from facial_keypoints.drawing import draw_faces as draw_faces
from facial_keypoints.errors import InputError as InputError
from facial_keypoints.face import Face as Face
from facial_keypoints.pictures import read_picture as read_picture
from facial_keypoints.pictures import write_picture as write_picture
from facial_keypoints.predictor import Predictor as Predictor
