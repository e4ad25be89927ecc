#!/usr/bin/env python3
"""Pictures of the page of `unmask serve` for the documents: screenshots.py PROGRAM ROOT [FOLDER], or
--mock in the program's place. Needs python3-selenium, chromium, chromium-driver and python3-pil of
Debian. Writes serve-*.png and serve.gif to FOLDER, docs/images if not given.
"""

import io
import pathlib
import sys

from PIL import Image

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/web"))
from browser import Browser, mock_command, serve_command, server  # noqa: E402  (found through the path above)

WIDE, TALL, PHONE = (1280, 860), (1280, 1010), (390, 844)
CLOSE = {"preset": "exact", "max_tokens": "48"}  # a token a step, and few end tokens behind them
SHARP = 2  # pixels of the animation for each of the page's
FRAME_MS, LAST_MS = 110, 2500
LIMIT = {".png": 200_000, ".gif": 1_500_000}  # bytes, so that a clone stays small


class Pictures:
    def __init__(self, browser: Browser, url: str, folder: pathlib.Path):
        self.browser, self.url, self.folder = browser, url, folder

    def picture(self) -> Image.Image:
        return Image.open(io.BytesIO(self.browser.driver.get_screenshot_as_png())).convert("RGB")

    def take(self, name: str) -> None:
        self.save(self.picture(), f"serve-{name}.png")

    def save(self, image: Image.Image, name: str, **options) -> None:
        path = self.folder / name
        image.save(path, optimize=True, **options)
        size = path.stat().st_size
        print(f"{path}: {size} bytes")
        assert size < LIMIT[path.suffix], f"{path}: {size} bytes, expected below {LIMIT[path.suffix]}"

    def start(self, screen: str, example: int, **settings: str) -> None:
        """Sends an example of a fresh page."""
        b = self.browser
        b.open(self.url, screen, **settings)
        b.all(f"#{screen}-examples button")[example].click()
        b.find(f"#{screen}-{'send' if screen == 'chat' else 'go'}").click()

    def settle(self) -> None:
        """No cursor and no focus ring on the picture."""
        self.browser.script("document.activeElement.blur()")

    def middle(self, name: str, example: int) -> None:
        """A chat about halfway through, as it runs."""
        self.start("chat", example, **CLOSE)
        self.settle()
        b = self.browser
        b.wait(lambda: b.masks())
        half = b.masks() * 0.6
        b.wait(lambda: b.masks() <= half)
        image = self.picture()
        assert b.find("#chat-send").text == "Stop", "the answer was there before the picture"
        self.save(image, f"serve-{name}.png")

    def finished(self, screen: str, name: str, example: int) -> None:
        self.start(screen, example)
        b = self.browser
        if screen == "decide":
            b.wait(lambda: b.all("#decide-result .card"))
        elif screen == "compare":
            b.wait(lambda: b.all("#compare-summary table"))
        else:
            b.answer_is("done")
        self.settle()
        if screen in ("compare", "decide"):
            b.script("window.scrollTo(0, 0)")
        self.take(name)

    def animation(self, example: int) -> None:
        """The canvas of a finished answer, frame by frame through its slider."""
        self.start("chat", example, **CLOSE)
        b = self.browser
        b.answer_is("done")
        self.settle()
        # As high as at its highest, and alone.
        box = b.script("const c = document.querySelector('.canvas'), r = c.getBoundingClientRect();"
                       "c.style.minHeight = r.height + 'px';"
                       "document.querySelector('.below').style.visibility = 'hidden';"
                       "return [r.left, r.top, r.width, r.height]")
        left, top, width, height = box
        cut = [round(SHARP * at) for at in (left - 8, top - 8, left + width + 8, top + height + 8)]
        frames = []
        for at in range(int(b.find(".replay input").get_attribute("max")) + 1):
            b.script("const s = document.querySelector('.replay input'); s.value = arguments[0];"
                     "s.dispatchEvent(new Event('input'))", at)
            frames.append(self.picture().crop(cut))
        # The colours of all frames are those of the last and of the first.
        both = Image.new("RGB", (frames[0].width, 2 * frames[0].height))
        both.paste(frames[0], (0, 0))
        both.paste(frames[-1], (0, frames[0].height))
        palette = both.quantize(128, dither=Image.Dither.NONE)
        plain = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
        self.save(plain[0], "serve.gif", save_all=True, append_images=plain[1:], loop=0,
                  duration=[FRAME_MS] * (len(plain) - 1) + [LAST_MS])


def main() -> int:
    program, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    folder = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else root / "docs/images"
    mock = program == "--mock"
    command = mock_command(root, "--pace", "80") if mock else serve_command(program, root)
    long_answer = 1  # of the examples for the embedded model
    browser = Browser()
    try:
        with server(command) as (_, url):
            pictures = Pictures(browser, url, folder)
            for dark in (False, True):
                look = "dark" if dark else "light"
                browser.window(*WIDE, dark)
                pictures.middle(f"chat-{look}", long_answer)
                pictures.finished("chat", f"chat-done-{look}", long_answer)
                pictures.finished("fill", f"fill-{look}", 0)
                browser.window(*TALL, dark)
                pictures.finished("compare", f"compare-{look}", 0)
                pictures.finished("decide", f"decide-{look}", 0)
                browser.window(*PHONE, dark, scale=2)
                pictures.middle(f"phone-{look}", long_answer)
            browser.window(760, 860, scale=SHARP)
            pictures.animation(long_answer)
    finally:
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
