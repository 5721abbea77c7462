"""Options of this test suite, and what makes its processes cheaper without changing a result."""

import gc
import os
import shutil
import tempfile

CACHE = "JAX_COMPILATION_CACHE_DIR"


def pytest_addoption(parser):
    parser.addoption(
        "--refresh-golden",
        action="store_true",
        help="write the golden pages anew; read the difference before committing it",
    )


def pytest_configure(config):
    # Three frameworks are two million objects that stay, and each full search for garbage walks
    # through them: one for every 2.5 million new ones in the place of every 70 000.
    gc.set_threshold(5000, 10, 50)
    # What one process has compiled for JAX, the others of the same run find: workers, and programs
    # that tests start, have the environment of the first process, which takes it all away again.
    if CACHE not in os.environ:
        made = os.environ[CACHE] = tempfile.mkdtemp(prefix="gradproof-jax-")
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
        config.add_cleanup(lambda: shutil.rmtree(made, ignore_errors=True))
