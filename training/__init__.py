"""Arrays and a network in, a trained model folder out."""

import models  # noqa: F401  (before anything here imports keras: it silences the backend's start-up notes)
