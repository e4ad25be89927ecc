#include "apps/terminal/console.h"

#include <gtest/gtest.h>
#include <sstream>

namespace unmask {
namespace {

/// What `text` becomes on a stream of answers and in a message.
std::pair<std::string, std::string> shown(const std::string& text, bool terminal) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err, false, terminal, terminal};
  print_text(console, text);
  warn(console, "{}", text);
  return {out.str(), err.str()};
}

TEST(Console, OnATerminalForeignTextIsHarmless) {
  const std::string text = "a\x1b[2J\u009bm\tb\u202e\n";
  const std::string safe = "a\ufffd[2J\ufffdm\tb\ufffd\n";
  EXPECT_EQ(shown(text, true), std::pair(safe, "unmask: warning: " + safe + "\n"));
}

TEST(Console, ElsewhereItStaysAsItIs) {
  const std::string text = "a\x1b[2J";
  EXPECT_EQ(shown(text, false), std::pair(text, "unmask: warning: " + text + "\n"));
}

}  // namespace
}  // namespace unmask
