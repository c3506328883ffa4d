"""One file per network; each has `build(input_shape, keypoints) -> keras.Model`: uint8 pictures in, px out."""
