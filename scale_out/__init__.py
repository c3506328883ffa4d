"""Many runs of the training core, and millions of pictures, on engines that exist: `requirements-scale.txt`."""
