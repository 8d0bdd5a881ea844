"""How Jupyter talks to its kernels where a program may not reach 127.0.0.1, as behind `unshare -n`."""

import socket
import tempfile


def loopback_works():
    """Whether a program may talk to itself over 127.0.0.1; behind `unshare -n` it may not."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), timeout=2).close()
    except OSError:
        return False
    return True


def let_kernels_use_files():
    """Make Jupyter talk to its kernels through socket files instead of 127.0.0.1."""
    from jupyter_client.manager import KernelManager

    folder, init = tempfile.mkdtemp(prefix="kernels-"), KernelManager.__init__

    def with_files(self, *args, **kwargs):
        init(self, *args, **{"transport": "ipc", "ip": f"{folder}/{id(self)}", **kwargs})

    KernelManager.__init__ = with_files
