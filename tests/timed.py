"""Runs every test binary of the workspace and tells the slowest ten tests: `python3 tests/timed.py [ARGUMENT OF cargo test ...]`.

As many binaries run side by side as there are processors, each with one test at a time: the time between two lines of a
binary is then a test's own, which the standard harness tells on nightly Rust alone.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time

# The longest, so that none of them starts last.
FIRST = ["engines", "studies", "rules", "scale"]
LINES = threading.Lock()


def binaries(arguments):
    """Builds the test binaries; their names, paths and the folders of their packages."""
    command = ["cargo", "test", *arguments, "--no-run", "--message-format=json-render-diagnostics"]
    built = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        sys.exit(built.returncode)
    found = []
    for message in map(json.loads, built.stdout.splitlines()):
        if message["reason"] == "compiler-artifact" and message["executable"] and message["profile"]["test"]:
            target = message["target"]
            found.append((target["name"], target["src_path"], message["executable"], os.path.dirname(message["manifest_path"])))
    order = {name: place for place, name in enumerate(FIRST)}
    return sorted(found, key=lambda binary: order.get(binary[0], len(FIRST)))


def processor_seconds(process):
    """User and system time of a process and the children it has waited for; 0 where the system does not tell."""
    try:
        with open(f"/proc/{process.pid}/stat") as stat:
            return sum(map(int, stat.read().rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def run(name, source, executable, folder):
    """Runs a binary; its exit status and (seconds, processor seconds, title) of each test."""
    environment = dict(os.environ, CARGO_MANIFEST_DIR=folder)
    command = [executable, "--test-threads=1"]
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said, tests = [f"\n     Running {os.path.relpath(source, folder)}\n"], []
    then, spent = time.monotonic(), 0.0
    for line in process.stdout:
        said.append(line)
        now, total = time.monotonic(), processor_seconds(process)
        if line.startswith("test ") and " ... " in line:
            tests.append((now - then, total - spent, f"{name} {line[5:].split(' ... ')[0].strip()}"))
            then, spent = now, total
        elif line.startswith("running "):
            then, spent = now, total
    status = process.wait()
    if status:
        said.append(f"{name} ended with status {status}\n")
    with LINES:
        print("".join(said), end="", flush=True)
    return status, tests


def main():
    waiting, outcomes = queue.SimpleQueue(), []
    for binary in binaries(sys.argv[1:]):
        waiting.put(binary)

    def work():
        while not waiting.empty():
            try:
                binary = waiting.get_nowait()
            except queue.Empty:
                return
            outcomes.append((binary[0], *run(*binary)))

    workers = [threading.Thread(target=work) for _ in range(os.cpu_count() or 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    if not any(tests for _, _, tests in outcomes):
        sys.exit("no test was run: cargo built no test binary")
    print("\nThe slowest tests, in seconds and in seconds of processor time:")
    for seconds, processor, title in sorted((test for _, _, tests in outcomes for test in tests), reverse=True)[:10]:
        print(f"{seconds:8.1f} {processor:8.1f}  {title}")
    failed = [name for name, status, _ in outcomes if status]
    if failed:
        sys.exit(f"tests failed in {', '.join(failed)}: their messages are above")


main()
