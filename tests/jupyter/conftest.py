"""Jupyter's server in the tests' own process, as pytest-jupyter runs it.

Its plugin also takes coroutine tests into an event loop of its own. Imported here, it does so in
this folder only; as ``pytest_plugins`` it would everywhere, and leave those of tests/local hanging.
"""

from pytest_jupyter.jupyter_server import *  # noqa: F403
