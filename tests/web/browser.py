"""A server and Chromium for tests and pictures of the page."""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60  # seconds: the machine may be busy
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--force-prefers-reduced-motion")


def mock_command(root: pathlib.Path, *options: str) -> list[str]:
    return ["node", str(root / "web/test/mock.mjs"), *options]


def serve_command(program: str, root: pathlib.Path) -> list[str]:
    return [program, "serve", "-m", str(root / "models/demo"), "--port", "0"]


def wait_until_loaded(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return urllib.request.urlopen(f"{url}/health", timeout=PATIENCE).close()
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                raise
        time.sleep(0.05)


@contextlib.contextmanager
def server(command: list[str], key: str = ""):
    """The process and its address, once it can answer. `key`: what clients have to send."""
    environment = {**os.environ, "UNMASK_API_KEY": key} if key else None
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        heard = []
        try:
            for line in process.stderr:
                heard.append(line)
                if found := re.search(r"listening on (http://\S+)", line):
                    break
            else:
                raise RuntimeError(f"{command[0]} ended without listening:\n{''.join(heard)}")
            # A full pipe would stop the server.
            reader = threading.Thread(target=process.stderr.read, daemon=True)
            reader.start()
            wait_until_loaded(found[1])
            yield process, found[1]
            process.terminate()
            reader.join(PATIENCE)
        finally:
            process.kill()


class Browser:
    """Chromium with a fresh profile."""

    def __init__(self, *more: str):
        self.profile = tempfile.TemporaryDirectory()
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in (*ARGUMENTS, *more, f"--user-data-dir={self.profile.name}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(PATIENCE)

    def close(self) -> None:
        self.driver.quit()
        self.profile.cleanup()

    def open(self, url: str, screen: str = "chat", **settings: str) -> None:
        """A fresh page on one of the screens, with these settings in the drawer."""
        self.driver.get(f"{url}/app.css")  # the storage belongs to the address, so something from there
        self.script("sessionStorage.setItem('unmask.settings', JSON.stringify(arguments[0]))", settings)
        self.complaints()
        self.driver.get(f"{url}/#/{screen}")
        self.wait(lambda: self.script("return document.documentElement.dataset.ready"))

    def window(self, width: int, height: int, dark: bool = False, scale: float = 1) -> None:
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 640})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def script(self, text: str, *arguments):
        return self.driver.execute_script(text, *arguments)

    def wait(self, holds):
        return WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: holds())

    def find(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def button(self, words: str, inside: str = "body"):
        """The visible button that reads so."""
        [found] = [b for b in self.all(f"{inside} button") if b.text == words and b.is_displayed()]
        return found

    def answer_is(self, state: str, which: int = -1) -> None:
        """Waits for an answer of the page to be running, done, stopped or failed."""
        self.wait(lambda: self.all(".answer") and
                  self.all(".answer")[which].get_attribute("data-state") == state)

    def masks(self) -> int:
        return self.script("return [...document.querySelectorAll('.canvas .mask')]"
                           ".filter(cell => cell.textContent).length")

    def complaints(self) -> list[str]:
        """What the console holds since the last look, advice to developers apart."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] != "DEBUG"]
