"""Servers to download from: nginx as Debian has it, `quartet origin`, one of our own that is watched, and ports where nobody is."""

import http.server
import os
import shutil
import socket
import ssl
import subprocess
import threading

from harness import QUARTET, wait_until

NGINX_PLACES = (None, "/usr/sbin:/usr/local/sbin")

NGINX_CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 512; }}
http {{
    log_format of_test '$connection $status $request_uri';
    access_log {directory}/access.log of_test;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 100000;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/files;
    }}
}}
"""


def free_port():
    """A loopback port that nobody has at this moment, for servers that cannot bind port 0 and say which one they got."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def taken_port(test):
    """A port that is in use for as long as the test runs."""
    holder = socket.socket()
    test.addCleanup(holder.close)
    holder.bind(("127.0.0.1", 0))
    holder.listen(1)
    return holder.getsockname()[1]


def _accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Nginx:
    """One nginx process for one test, with its own prefix below the test's directory."""

    def __init__(self, test, files):
        """`files`: name -> bytes, to serve."""
        program = next(filter(None, (shutil.which("nginx", path=p) for p in NGINX_PLACES)), None)
        if program is None:
            test.fail("nginx is missing: apt-get install nginx-light")
        self.directory = test.path("nginx")
        os.makedirs(os.path.join(self.directory, "files"))
        for name, content in files.items():
            with open(os.path.join(self.directory, "files", name), "wb") as file:
                file.write(content)
        self._start(test, program)

    def _start(self, test, program):
        # Somebody may take the port between the look and nginx's bind: then another one is tried.
        for _ in range(5):
            self.port = free_port()
            configuration = os.path.join(self.directory, "nginx.conf")
            with open(configuration, "w", encoding="utf-8") as file:
                file.write(NGINX_CONFIGURATION.format(directory=self.directory, port=self.port))
            nginx = test.start([program, "-p", self.directory, "-c", configuration])
            wait_until(lambda: not nginx.is_running() or _accepts(self.port), 10, "nginx to answer")
            if nginx.is_running():
                test.addCleanup(nginx.process.wait)
                test.addCleanup(nginx.process.kill)
                return
        test.fail("nginx did not start:\n" + nginx.output())

    def url(self, name):
        return "http://127.0.0.1:%d/%s" % (self.port, name)

    def requests(self):
        """(connection, status, path) of every request that was answered."""
        with open(os.path.join(self.directory, "access.log"), encoding="utf-8") as file:
            return [tuple(line.split(" ", 2)) for line in file.read().splitlines()]


def start_origin(test):
    """`quartet origin` for one test; returns its URL without a slash at the end."""
    origin = test.start([QUARTET, "origin"])
    url = origin.out.wait_for(r"^listening on (http://127\.0\.0\.1:\d+)$", 20).group(1)
    test.addCleanup(origin.process.wait)
    test.addCleanup(origin.process.terminate)
    return url


class Https:
    """Answers every request at `url` over TLS, with a certificate for `address` that only who has it (`certificate`) trusts."""

    class _Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments):
            pass

    def __init__(self, test, address):
        self.certificate = test.path("certificate.pem")
        key = test.path("key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=quartet test", "-addext", "subjectAltName=IP:" + address, "-keyout", key, "-out",
                        self.certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        server = http.server.ThreadingHTTPServer((address, 0), self._Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        test.addCleanup(server.server_close)
        test.addCleanup(thread.join)
        test.addCleanup(server.shutdown)  # cleanups run last to first
        self.url = "https://%s:%d/" % (address, server.server_port)


class Listener:
    """The smallest HTTP server: remembers the paths asked for, and answers each with two bytes, at once or `after` so many
    seconds, unless it is to be silent."""

    def __init__(self, silent=False, after=0):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.socket.getsockname()[1]
        self.silent = silent
        self.after = after
        self.timers = []
        self.paths = []
        self.unanswered = []
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *what):
        # accept() in the other thread does not end with close(): a last connection ends it.
        self.stopping = True
        socket.create_connection(self.socket.getsockname()).close()
        self.thread.join()
        self.socket.close()
        for timer in self.timers:
            timer.join()
        for connection in self.unanswered:
            connection.close()

    stopping = False

    def _serve(self):
        while True:
            connection, _ = self.socket.accept()
            if self.stopping:
                connection.close()
                return
            self._answer(connection)

    def _answer(self, connection):
        head = connection.recv(65536)
        if head:
            self.paths.append(head.split(b" ")[1].decode())
        if self.silent:
            self.unanswered.append(connection)
            return
        timer = threading.Timer(self.after, self._say_ok, (connection,))
        self.timers.append(timer)
        timer.start()

    @staticmethod
    def _say_ok(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        connection.close()

    def wait_for_request(self, path, count=1):
        wait_until(lambda: self.paths.count(path) >= count, 20, "%d requests for %s" % (count, path))
