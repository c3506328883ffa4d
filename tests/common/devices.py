"""Code that checks, in a separate process, that no device has been started yet."""

NO_DEVICE_YET = """
import keras
if keras.backend.backend() == "tensorflow":
    import tensorflow
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)  # refused once a device has started
elif keras.backend.backend() == "jax":
    from jax._src import xla_bridge
    assert not xla_bridge.backends_are_initialized()
"""
