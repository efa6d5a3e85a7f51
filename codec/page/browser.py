"""Headless Chromium, driven through its debugging pipe: what the tests look at and the benchmarks time."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from dinp.errors import DinpError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage", "--mute-audio")


def chromium() -> str | None:
    """The program, or None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One tab. Usable as a context; `complaints` are what the page wrote to the console as errors, and exceptions.

    Raises
    ------
    DinpError
        There is no Chromium, it does not answer in time, or a script that was asked for failed.
    """

    def __init__(self, *, width: int = 1100, height: int = 1400, timeout: float = 60) -> None:
        program = chromium()
        if program is None:
            raise DinpError("there is no Chromium: install the package chromium")
        self.timeout, self.complaints, self._next, self._session, self._rest = timeout, [], 0, None, b""
        self._folder = tempfile.TemporaryDirectory(prefix="dinp-browser-", ignore_cleanup_errors=True)
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        size = f"--window-size={width},{height}"
        arguments = [
            program,
            *FLAGS,
            size,
            f"--user-data-dir={self._folder.name}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 10) for descriptor in (to_read, to_write)]

        def connect() -> None:  # Chromium reads from descriptor 3 and writes to 4
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(arguments, pass_fds=(3, 4), preexec_fn=connect, **quiet)
        for descriptor in high:
            os.close(descriptor)
        os.close(to_read)
        os.close(to_write)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "DOM"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the program."""
        os.close(self._write)
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        self._folder.cleanup()

    def call(self, method: str, **parameters: object) -> dict:
        """A command of the DevTools protocol, and its answer."""
        self._next += 1
        message: dict = {"id": self._next, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            try:
                rest = rest[os.write(self._write, rest) :]
            except BrokenPipeError as error:
                raise DinpError("Chromium ended") from error
        return self._answer(self._next, method)

    def _answer(self, number: int, method: str) -> dict:
        end = time.monotonic() + self.timeout
        while True:
            while b"\0" in self._rest:
                line, self._rest = self._rest.split(b"\0", 1)
                answer = json.loads(line)
                self._hear(answer)
                if answer.get("id") == number:
                    if "error" in answer:
                        raise DinpError(f"Chromium refused {method}: {answer['error']['message']}")
                    return answer["result"]
            if not select.select([self._read], [], [], max(0.0, end - time.monotonic()))[0]:
                raise DinpError(f"Chromium does not answer {method}")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise DinpError("Chromium ended")
            self._rest += data

    def _hear(self, event: dict) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(parameters["exceptionDetails"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.complaints.append(str(parameters["args"]))
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.complaints.append(parameters["entry"]["text"])

    def open(self, page: Path) -> None:
        """Go to a page on disk."""
        self.call("Page.navigate", url=page.resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def ask(self, expression: str) -> object:
        """What an expression of JavaScript gives, awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise DinpError(f"the script failed: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + self.timeout
        while not self.ask(condition):
            if time.monotonic() > end:
                raise DinpError(f"waited in vain for {condition}")
            time.sleep(0.05)

    def choose(self, selector: str, paths: list[Path]) -> None:
        """Choose files in an input element."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path.resolve()) for path in paths])

    def screenshot(self) -> bytes:
        """The window's contents as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
