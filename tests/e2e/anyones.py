"""The programs where any user can run them, and where no namespace of a test has something else: a build tree may be below /tmp, /root or a
folder that its owner alone may enter."""

import os
import shutil
import tempfile

from harness import QUARTET, WORKER

PLACE = "/opt"


def programs(test):
    """Paths of copies of quartet and quartet-worker, for as long as the test lasts."""
    folder = tempfile.mkdtemp(prefix="quartet-test-", dir=PLACE)
    test.addCleanup(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    return tuple(shutil.copy(program, folder) for program in (QUARTET, WORKER))
