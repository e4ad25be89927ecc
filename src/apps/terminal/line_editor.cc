#include "apps/terminal/line_editor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <histedit.h>
#include <poll.h>
#include <string_view>
#include <unistd.h>
#include <utility>

#include "apps/terminal/terminal.h"
#include "io/text/utf8.h"

namespace unmask {

namespace {

constexpr std::string_view kPastesOn = "\x1b[?2004h";  // pastes arrive between two marks
constexpr std::string_view kPastesOff = "\x1b[?2004l";
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";

// A signal handler has no other way to reach the program.
std::atomic<bool> resized{false};
std::atomic<bool> resumed{false};

void on_signal(int signal) { (signal == SIGWINCH ? resized : resumed) = true; }

/// Waits for input or a signal, one that came just before included.
void wait_for_input() {
  sigset_t ours;
  sigset_t before;
  sigemptyset(&ours);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT}) sigaddset(&ours, signal);
  pthread_sigmask(SIG_BLOCK, &ours, &before);
  if (!interrupted() && !resized && !resumed) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    ppoll(&input, 1, nullptr, &before);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::string to_utf8(std::wstring_view text) {
  std::string out;
  for (const wchar_t c : text) append_utf8(static_cast<char32_t>(c), out);
  return out;
}

std::wstring to_wide(std::string_view text) {
  std::wstring out;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    out += step.status == Utf8Status::valid ? static_cast<wchar_t>(step.code_point) : L'\ufffd';
    at += static_cast<size_t>(step.length);
  }
  return out;
}

/// What terminals send in a paste, with our line breaks and without what steers terminals.
std::wstring cleaned(std::wstring_view pasted) {
  std::wstring text;
  for (size_t i = 0; i < pasted.size(); ++i) {
    wchar_t c = pasted[i];
    if (c == L'\r') {
      if (i + 1 < pasted.size() && pasted[i + 1] == L'\n') continue;
      c = L'\n';
    }
    if (c >= L' ' || c == L'\n' || c == L'\t') text += c;
  }
  while (text.ends_with(L'\n')) text.pop_back();
  return text;
}

/// A line that libedit can measure and show needs a locale that knows more than ASCII.
void use_utf8() {
  if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1)
    std::setlocale(LC_CTYPE, "C.UTF-8");
}

}  // namespace

struct LineEditor::State {
  State(LineHistory saved, std::vector<std::string> known_words);
  ~State();

  static State& of(EditLine* editor) {
    void* state = nullptr;
    el_wget(editor, EL_CLIENTDATA, &state);
    return *static_cast<State*>(state);
  }
  // What libedit calls.
  static wchar_t* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }
  static int next_character(EditLine* editor, wchar_t* out);
  static unsigned char cancel(EditLine* editor, wint_t key);
  static unsigned char paste(EditLine* editor, wint_t key);
  static unsigned char complete(EditLine* editor, wint_t key);

  void bind_keys();
  void remember(const std::wstring& text);
  void write_out(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), out);
    std::fflush(out);
  }

  LineHistory file;
  std::vector<std::string> words;
  FILE* out;
  EditLine* editor;
  HistoryW* history;
  std::wstring prompt;
  std::string pending;  // bytes that were read
  size_t taken = 0;     // of them
  bool cancelled = false;
  bool was_empty = true;
};

LineEditor::State::State(LineHistory saved, std::vector<std::string> known_words)
    : file(std::move(saved)), words(std::move(known_words)) {
  use_utf8();
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGWINCH, &action, nullptr);
  sigaction(SIGCONT, &action, nullptr);
  out = fdopen(dup(STDERR_FILENO), "w");
  editor = el_init("unmask", stdin, out, out);
  history = history_winit();
  el_wset(editor, EL_CLIENTDATA, this);
  el_wset(editor, EL_PROMPT, &State::show_prompt);
  el_wset(editor, EL_GETCFN, &State::next_character);
  el_wset(editor, EL_EDITOR, L"emacs");
  bind_keys();
  HistEventW event{};
  history_w(history, &event, H_SETSIZE, static_cast<int>(LineHistory::kMost));
  history_w(history, &event, H_SETUNIQUE, 1);
  el_wset(editor, EL_HIST, history_w, history);
  for (const std::string& line : file.load()) {
    history_w(history, &event, H_ENTER, to_wide(line).c_str());
  }
}

LineEditor::State::~State() {
  history_wend(history);
  el_end(editor);
  std::fclose(out);
}

void LineEditor::State::bind_keys() {
  el_wset(editor, EL_ADDFN, L"unmask-cancel", L"Give the line up", &State::cancel);
  el_wset(editor, EL_ADDFN, L"unmask-paste", L"Insert a paste", &State::paste);
  el_wset(editor, EL_ADDFN, L"unmask-complete", L"Complete a command", &State::complete);
  constexpr std::pair<const wchar_t*, const wchar_t*> kKeys[] = {
      {L"^C", L"unmask-cancel"},           {L"\\e[200~", L"unmask-paste"},
      {L"^I", L"unmask-complete"},         {L"^R", L"em-inc-search-prev"},
      {L"\\e[3~", L"ed-delete-next-char"}, {L"\\e[1~", L"ed-move-to-beg"},
      {L"\\e[4~", L"ed-move-to-end"},      {L"\\e[H", L"ed-move-to-beg"},
      {L"\\e[F", L"ed-move-to-end"},       {L"\\e[1;5C", L"em-next-word"},
      {L"\\e[1;5D", L"ed-prev-word"}};
  for (const auto& [key, function] : kKeys) {
    el_wset(editor, EL_BIND, key, function, nullptr);
  }
  // While a line is edited, Ctrl-C is a key; otherwise it is the signal that it always was.
  el_wset(editor, EL_SETTY, L"-d", L"intr=", nullptr);
  el_wset(editor, EL_SETTY, L"-x", L"-icanon", L"-echo", nullptr);
}

int LineEditor::State::next_character(EditLine* editor, wchar_t* out) {
  State& s = of(editor);
  for (;;) {
    if (s.taken < s.pending.size()) {
      const Utf8Step step = utf8_step(s.pending, s.taken);
      if (step.status != Utf8Status::truncated) {
        const bool valid = step.status == Utf8Status::valid;
        *out = valid ? static_cast<wchar_t>(step.code_point) : L'\ufffd';
        s.taken += static_cast<size_t>(step.length);
        return 1;
      }
    }
    s.pending.erase(0, std::exchange(s.taken, 0));
    wait_for_input();
    if (interrupted()) return -1;
    if (resumed.exchange(false)) {  // the shell has had the terminal since
      el_wset(editor, EL_PREP_TERM, 0);
      el_wset(editor, EL_PREP_TERM, 1);
      resized = true;
    }
    if (resized.exchange(false)) {
      el_resize(editor);
      el_wset(editor, EL_REFRESH);
    }
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, 0) == 0) continue;
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count == 0 || (count < 0 && errno != EINTR)) return static_cast<int>(count);
    if (count > 0) s.pending.append(bytes.data(), static_cast<size_t>(count));
  }
}

unsigned char LineEditor::State::cancel(EditLine* editor, wint_t /*key*/) {
  State& s = of(editor);
  const LineInfoW* line = el_wline(editor);
  s.cancelled = true;
  s.was_empty = line->lastchar == line->buffer;
  el_cursor(editor, static_cast<int>(line->lastchar - line->cursor));
  el_wset(editor, EL_REFRESH);  // what comes next stands below the whole line
  return CC_EOF;
}

unsigned char LineEditor::State::paste(EditLine* editor, wint_t /*key*/) {
  std::wstring text;
  for (wchar_t c = 0; el_wgetc(editor, &c) == 1;) {
    text += c;
    if (!text.ends_with(kPasteEnd)) continue;
    text.resize(text.size() - kPasteEnd.size());
    break;
  }
  text = cleaned(text);
  if (!text.empty()) el_winsertstr(editor, text.c_str());
  return CC_REFRESH;
}

unsigned char LineEditor::State::complete(EditLine* editor, wint_t /*key*/) {
  const LineInfoW* line = el_wline(editor);
  const std::string typed =
      to_utf8({line->buffer, static_cast<size_t>(line->cursor - line->buffer)});
  std::vector<std::string> fitting;
  for (const std::string& word : of(editor).words) {
    if (!typed.empty() && word.starts_with(typed)) fitting.push_back(word);
  }
  if (fitting.empty()) {  // a tab is a character like others
    el_winsertstr(editor, L"\t");
    return CC_REFRESH;
  }
  const auto [first, last] = std::minmax_element(fitting.begin(), fitting.end());
  const auto end = std::mismatch(first->begin(), first->end(), last->begin(), last->end()).first;
  std::string common(first->begin(), end);
  if (fitting.size() == 1) common += ' ';
  if (common.size() == typed.size()) return CC_ERROR;
  el_winsertstr(editor, to_wide(common.substr(typed.size())).c_str());
  return CC_REFRESH;
}

void LineEditor::State::remember(const std::wstring& text) {
  HistEventW event{};
  if (history_w(history, &event, H_ENTER, text.c_str()) == 1) file.add(to_utf8(text));
}

LineEditor::LineEditor(LineHistory history, std::vector<std::string> words)
    : state_(std::make_unique<State>(std::move(history), std::move(words))) {}

LineEditor::~LineEditor() = default;

LineEditor::Line LineEditor::read(const std::string& prompt) {
  State& s = *state_;
  s.prompt = to_wide(prompt);
  s.cancelled = false;
  s.was_empty = true;
  el_wset(s.editor, EL_PREP_TERM, 1);  // whoever sees the prompt finds Ctrl-C to be a key
  s.write_out(kPastesOn);
  int count = 0;
  const wchar_t* const entered = el_wgets(s.editor, &count);
  s.write_out(kPastesOff);
  if (entered == nullptr || count <= 0) {
    s.write_out(s.cancelled ? "^C\n" : "\n");
    const bool cancelled = s.cancelled || (interrupted() && !told_to_end());
    return {cancelled ? End::cancelled : End::closed, {}, s.was_empty};
  }
  std::wstring text(entered, static_cast<size_t>(count));
  if (text.ends_with(L'\n')) text.pop_back();
  if (text.find_first_not_of(L" \t\n") != std::wstring::npos) s.remember(text);
  return {End::line, to_utf8(text), text.empty()};
}

}  // namespace unmask
