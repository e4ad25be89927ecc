#!/usr/bin/env python3
"""The page of `unmask serve` in Chromium: page_test.py PROGRAM ROOT, or page_test.py --mock ROOT with
the mock server of web/test in the program's place. Exits with 77 where python3-selenium, chromium or
chromium-driver is missing; accessibility is checked where npm can install axe-core."""

import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from node_modules import NotInstalled, web_copy  # noqa: E402

try:
    from selenium.webdriver.common.keys import Keys
    from browser import Browser, mock_command, serve_command, server
except ImportError:
    Keys = None

DEBIANS = pathlib.Path("/usr/bin/python3")
SKIPPED = 77
PROGRAM, ROOT = (sys.argv[1], pathlib.Path(sys.argv[2]).resolve()) if len(sys.argv) == 3 else ("", None)
MOCK = PROGRAM == "--mock"
SCREENS = ("chat", "fill", "compare", "decide")
SLOW = {"preset": "exact", "max_tokens": "256"}  # long enough to be watched
AXE = "node_modules/axe-core/axe.min.js"


def command() -> list[str]:
    return mock_command(ROOT) if MOCK else serve_command(PROGRAM, ROOT)


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.held = server(command())
        _, cls.url = cls.held.__enter__()
        cls.browser = Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.held.__exit__(None, None, None)

    def setUp(self):
        self.browser.window(1280, 900)

    def open(self, screen: str = "chat", **settings: str) -> "Browser":
        self.browser.open(self.url, screen, **settings)
        self.addCleanup(lambda: self.assertEqual(self.browser.complaints(), []))
        return self.browser

    def use_example(self, screen: str, which: int = 0) -> None:
        """Puts an example into the form and sends it with the keyboard."""
        self.browser.all(f"#{screen}-examples button")[which].click()
        self.browser.driver.switch_to.active_element.send_keys(Keys.ENTER)


class Chat(PageTest):
    def test_masks_vanish_and_the_text_stands(self):
        b = self.open(**SLOW)
        self.use_example("chat")
        b.wait(lambda: b.masks() > 0)
        b.answer_is("done")
        self.assertEqual(b.masks(), 0)
        spoken = b.script("return document.querySelector('[aria-live=polite]').textContent")
        self.assertIn("4821", spoken)
        self.assertIn("4821", b.find(".canvas").text)
        self.assertRegex(b.find(".answer .status").text, r"^\d+ tokens in [\d.]+ s .* passes")
        self.assertEqual(b.find("#chat-send").text, "Send")

    def test_turns_follow_each_other_and_can_be_asked_again(self):
        b = self.open()
        self.use_example("chat")
        b.answer_is("done")
        b.find("#chat-text").send_keys("And the calm fox?", Keys.ENTER)
        b.wait(lambda: len(b.all(".answer")) == 2)
        b.answer_is("done")
        b.button("Ask again", ".answer:last-child").click()
        b.answer_is("done")
        self.assertEqual([len(b.all(".answer")), len(b.all(".question"))], [2, 2])
        b.button("New chat").click()
        self.assertEqual(b.all(".answer"), [])

    def test_escape_stops(self):
        b = self.open(preset="exact", max_tokens="2048")  # minutes: no Escape comes too late
        self.use_example("chat", 1)
        b.wait(lambda: b.masks() > 0)
        self.assertEqual(b.find("#chat-send").text, "Stop")
        b.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        b.answer_is("stopped")
        self.assertGreater(b.masks(), 0)
        self.assertEqual(b.find("#chat-send").text, "Send")

    def test_replay_goes_back_to_the_masks(self):
        b = self.open(**SLOW)
        self.use_example("chat")
        b.answer_is("done")
        slider = b.find(".replay input")
        slider.send_keys(Keys.HOME)
        self.assertGreater(b.masks(), 0)
        slider.send_keys(Keys.END)
        self.assertEqual(b.masks(), 0)

    def test_settings_are_sent_and_a_bad_one_is_explained(self):
        b = self.open()
        b.button("Settings", "header").click()
        b.find("#settings [name=preset]").send_keys("fast")
        b.button("Close").click()
        self.assertEqual(b.find("#chat .settings-now").text, "fast")
        self.use_example("chat")
        b.answer_is("done")
        b.button("Settings", "header").click()
        b.button("Leave all to the server").click()
        b.find("#settings [name=steps]").send_keys("-1")
        b.button("Close").click()
        b.find("#chat-text").send_keys("hello", Keys.ENTER)
        b.wait(lambda: b.find("#settings").get_attribute("open"))
        self.assertEqual(b.driver.switch_to.active_element.get_attribute("name"), "steps")
        b.button("Leave all to the server").click()
        b.button("Close").click()

    def test_keyboard_alone(self):
        b = self.open()
        self.assertEqual(b.driver.switch_to.active_element.get_attribute("id"), "chat-text")
        b.driver.switch_to.active_element.send_keys("one", Keys.SHIFT + Keys.ENTER, Keys.NULL, "two")
        self.assertEqual(b.find("#chat-text").get_property("value"), "one\ntwo")
        seen = set()
        for _ in range(12):
            b.driver.switch_to.active_element.send_keys(Keys.TAB)
            focused = b.driver.switch_to.active_element
            outline = b.script("return getComputedStyle(arguments[0]).outlineStyle", focused)
            seen.add((focused.tag_name, focused.text))
            if focused.tag_name in ("button", "a"):
                self.assertEqual(outline, "solid", focused.text)
        for wanted in (("button", "Send"), ("a", "Compare"), ("button", "Settings")):
            self.assertIn(wanted, seen)


class OtherScreens(PageTest):
    def test_fill_keeps_the_given_text(self):
        b = self.open("fill")
        self.use_example("fill")
        b.answer_is("done")
        self.assertEqual(b.masks(), 0)
        self.assertIn("looked at the quiet lake", b.find("#fill-result .canvas").text)
        self.assertGreater(len(b.all("#fill-result .set")), 0)

    def test_a_text_without_a_hole_is_explained(self):
        b = self.open("fill")
        b.find("#fill-text").send_keys("no hole", Keys.ENTER)
        self.assertIn("no hole", b.find("#fill-result [role=alert]").text)

    def test_compare_measures_both_sides(self):
        b = self.open("compare")
        self.use_example("compare")
        b.wait(lambda: b.all("#compare-summary table"))
        self.assertRegex(b.find(".verdict").text, r"times as fast as .*; \d+ % of the tokens are equal")
        self.assertEqual([row.text for row in b.all("#compare-summary th[scope=row]")],
                         ["Time", "First text", "Passes", "Tokens/s"])
        self.assertEqual(len(b.all("#compare-summary td .bar")), 8)

    def test_decide_shows_shares_that_add_up(self):
        b = self.open("decide")
        self.use_example("decide")
        b.wait(lambda: len(b.all("#decide-result .card")) == 2)
        for card in range(2):
            shares = [int(value.text.split()[0]) for value in
                      b.all(f"#decide-result .card:nth-child({card + 1}) .value")]
            self.assertAlmostEqual(sum(shares), 100, delta=2)
        b.button("Add a question").click()
        b.driver.switch_to.active_element.send_keys("Is it late?", Keys.ENTER)
        b.wait(lambda: len(b.all("#decide-result .card")) == 3)


class Looks(PageTest):
    def fill_screen(self, screen: str) -> None:
        self.use_example(screen)
        if screen == "decide":
            self.browser.wait(lambda: self.browser.all("#decide-result .card"))
        elif screen == "compare":
            self.browser.wait(lambda: self.browser.all("#compare-summary table"))
        else:
            self.browser.answer_is("done")

    def test_one_column_on_a_phone(self):
        self.browser.window(390, 844)
        for screen in SCREENS:
            with self.subTest(screen):
                b = self.open(screen)
                self.fill_screen(screen)
                self.assertEqual(b.script("return document.documentElement.scrollWidth"), 390)
                lefts = {side.location["x"] for side in b.all(f"#{screen} .side")}
                self.assertLessEqual(len(lefts), 1)

    def test_nothing_serious_to_say_about_accessibility(self):
        try:
            web = ROOT / "web" if MOCK else web_copy(ROOT, pathlib.Path(PROGRAM).resolve().parent)
        except NotInstalled as reason:
            self.skipTest(str(reason))
        axe = (web / AXE).read_text()
        for dark in (False, True):
            for screen in SCREENS:
                with self.subTest(screen, dark=dark):
                    self.browser.window(1280, 900, dark)
                    b = self.open(screen)
                    self.axe(axe)
                    self.fill_screen(screen)
                    self.axe(axe)
            self.browser.button("Settings", "header").click()
            self.axe(axe)

    def axe(self, axe: str) -> None:
        self.browser.script(axe)
        found = self.browser.driver.execute_async_script(
            "axe.run(document).then(arguments[0])")["violations"]
        grave = [f"{v['id']}: {node['html'][:200]} {node['failureSummary']}" for v in found
                 if v["impact"] in ("serious", "critical") for node in v["nodes"]]
        self.assertEqual(grave, [])

    def test_every_shade_is_readable(self):
        # The canvas is hidden from axe as from screen readers, so its contrast is computed here.
        for dark in (False, True):
            self.browser.window(1280, 900, dark)
            b = self.open()
            self.use_example("chat", 1)
            b.answer_is("done")
            ratios = b.script(CONTRASTS)
            self.assertEqual(len(ratios), 7)
            self.assertGreaterEqual(min(ratios), 4.5, f"dark: {dark}")


# Contrast of the shades, of given text and of end marks to the canvas, as WCAG 2 computes it.
CONTRASTS = """
  const canvas = document.querySelector('.canvas');
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(canvas).backgroundColor);
  return ['s0', 's1', 's2', 's3', 's4', 'given', 'end'].map(name => {
    const cell = document.createElement('li');
    cell.className = name;
    canvas.append(cell);
    const ink = light(getComputedStyle(cell).color);
    return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
  });
"""


class Errors(unittest.TestCase):
    """What goes wrong is said in words and leaves the page usable."""

    def setUp(self):
        self.browser = Browser()
        self.addCleanup(self.browser.close)
        self.browser.window(1280, 900)

    def ask(self, text: str) -> str:
        self.browser.find("#chat-text").send_keys(text, Keys.ENTER)
        self.browser.answer_is("failed")
        return self.browser.all("#chat .notice")[-1].text

    @unittest.skipUnless(MOCK, "the mock server fails on request")
    def test_refusals(self):
        with server(command()) as (_, url):
            self.browser.open(url)
            self.assertIn("Try again in 3 s", self.ask("!429"))
            self.assertIn("expected a multiple of 4", self.ask("!400"))
            self.assertIn("connection was lost", self.ask("!lost"))
            self.assertIn("K/V cache", self.ask("!500"))
            self.browser.find("#chat-text").send_keys("good", Keys.ENTER)
            self.browser.answer_is("done")

    def test_asks_for_the_key(self):
        with server(command(), key="secret") as (_, url):
            self.browser.driver.get(url)
            self.browser.wait(lambda: self.browser.find("#settings").get_attribute("open"))
            self.assertIn("API key", self.browser.find("#banner").get_property("textContent"))
            self.browser.driver.switch_to.active_element.send_keys("secret", Keys.ENTER)
            self.browser.wait(lambda: self.browser.find("#model").text == "demo")
            self.assertEqual(self.browser.find("#banner").text, "")

    def test_a_server_that_is_gone(self):
        with server(command()) as (process, url):
            self.browser.open(url)
            process.terminate()
            process.wait(timeout=60)
            self.assertIn("does not answer", self.ask("hello"))


def main() -> int:
    # Debian's packages are seen by Debian's interpreter, which may not be the first of the path.
    if Keys is None and DEBIANS.exists() and not DEBIANS.samefile(sys.executable):
        os.execv(DEBIANS, [str(DEBIANS), *sys.argv])
    missing = [name for name, there in (("python3-selenium", Keys), ("chromium", shutil.which("chromium")),
                                        ("chromium-driver", shutil.which("chromedriver"))) if not there]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed")
        return SKIPPED
    result = unittest.main(argv=sys.argv[:1], exit=False).result
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
