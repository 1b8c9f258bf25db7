"""What the benchmark runs: our programs, the bare ones, and the servers to download from.

Every process is started and ended here, by its own handle. Nothing listens beyond loopback.
"""

import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

RUN_TIMEOUT_S = 300
SERVER_TIMEOUT_S = 10

SMALL_FILES, SMALL_BYTES = 20_000, 1 << 10
LARGE_FILES, LARGE_BYTES = 500, 1 << 20


# Set here and there, and it would change what the programs of both sides do.
os.environ.pop("PYTHONUNBUFFERED", None)


class Failed(Exception):
    """A program ended with an error, or gave a wrong answer: there is no figure."""


class Rig:
    """Programs, a scratch directory, and servers, which start when they are first asked for."""

    def __init__(self, bin_dir, bench_dir):
        self.bin_dir = pathlib.Path(bin_dir)
        self.bench_dir = pathlib.Path(bench_dir)
        self._scratch = tempfile.TemporaryDirectory(prefix="quartet-bench-")
        self.scratch = pathlib.Path(self._scratch.name)
        self._servers = []
        self._nginx_url = None
        self._origin_url = None

    def close(self):
        for server in list(self._servers):
            self.stop(server)
        self._scratch.cleanup()

    # --- programs ---

    def run(self, argv, stdout=subprocess.PIPE):
        """Run a program to its end. Returns its output, seconds, and CPU seconds with all its children."""
        begin = time.monotonic()
        process = subprocess.Popen(argv, stdout=stdout, stderr=subprocess.PIPE, text=True)
        timer = threading.Timer(RUN_TIMEOUT_S, process.kill)
        timer.start()
        output = process.stdout.read() if process.stdout else ""
        error = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begin
        if process.returncode != 0:
            words = " ".join(str(word) for word in argv)
            raise Failed(f"{words}: exit {process.returncode}: {error.strip()[-300:]}")
        return output, seconds, usage.ru_utime + usage.ru_stime

    def watch(self, argv, **streams):
        """Run a program to its end, looking at its memory once a millisecond. Returns its peak in MiB, and seconds."""
        begin = time.monotonic()
        process = self.start(argv, **streams)
        peak_kib = 0
        while process.poll() is None:
            peak_kib = max(peak_kib, status_kib(process.pid))
            time.sleep(0.001)
        seconds = time.monotonic() - begin
        self._servers.remove(process)
        if process.returncode != 0:
            raise Failed(f"{' '.join(map(str, argv))}: exit {process.returncode}")
        return peak_kib / 1024, seconds

    def bare(self, program, *arguments):
        """Run a bare program; returns the object that it prints."""
        output, _, cpu_s = self.run([self.bench_dir / program, *map(str, arguments)])
        result = json.loads(output)
        if result.get("failed"):
            raise Failed(f"{program}: {result['failed']} requests failed")
        return {**result, "cpu_all_s": cpu_s}

    def quartet(self, *arguments):
        """`quartet run` with `arguments`; returns the sample of its report, with process_s and cpu_all_s beside it."""
        report = self.scratch / "report.json"
        argv = [self.bin_dir / "quartet", "run", *map(str, arguments), "--quiet", "--json", report]
        _, seconds, cpu_s = self.run(argv)
        sample = json.loads(report.read_text())["comparisons"][0]["cells"][0]["samples"][0]
        if sample["failed"] or not sample["complete"]:
            raise Failed(f"quartet run {' '.join(map(str, arguments))}: {sample['failed']} items failed")
        return {**sample, "process_s": seconds, "cpu_all_s": cpu_s}

    def start(self, argv, **options):
        """Start a program that runs until `close`."""
        server = subprocess.Popen(argv, **options)
        self._servers.append(server)
        return server

    def stop(self, server):
        self._servers.remove(server)
        server.terminate()
        try:
            server.wait(SERVER_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()

    # --- servers ---

    def origin(self):
        """The URL of `quartet origin`."""
        if self._origin_url is None:
            server = self.start([self.bin_dir / "quartet", "origin"], stdout=subprocess.PIPE, text=True)
            line = server.stdout.readline()
            if "listening on " not in line:
                raise Failed("quartet origin did not start")
            self._origin_url = line.split("listening on ")[1].strip()
        return self._origin_url

    def nginx(self):
        """The URL of an nginx with the small and the large files."""
        if self._nginx_url is None:
            root = self.scratch / "www"
            write_files(root / "small", SMALL_FILES, SMALL_BYTES)
            write_files(root / "large", LARGE_FILES, LARGE_BYTES)
            port = free_port()
            (self.scratch / "nginx.conf").write_text(nginx_conf(root, port))
            self.start(["nginx", "-p", self.scratch, "-e", "error.log", "-c", "nginx.conf"])
            wait_for_port(port)
            self._nginx_url = f"http://127.0.0.1:{port}"
        return self._nginx_url

    def item_file(self, name, lines):
        """A file with an item in each line."""
        path = self.scratch / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def small_urls(self):
        return self.item_file("small.txt", [f"{self.nginx()}/small/{i}" for i in range(SMALL_FILES)])

    def large_urls(self):
        return self.item_file("large.txt", [f"{self.nginx()}/large/{i}" for i in range(LARGE_FILES)])


def status_kib(pid):
    """The largest resident size so far; 0 when it has ended."""
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max([int(line.split()[1]) for line in lines if line.startswith("VmHWM:")], default=0)


def resident_kib(pid):
    """What is in memory of it now."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def cpu_s(pid):
    """Of all its threads: schedstat counts nanoseconds where stat counts hundredths."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def write_files(folder, count, size):
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / str(i)).write_bytes(f"{i:016d}".encode() * (size // 16))


def nginx_conf(root, port):
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{ listen 127.0.0.1:{port} backlog=4096; root {root}; }}
}}
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port):
    deadline = time.monotonic() + SERVER_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise Failed(f"nothing listens on port {port}")
