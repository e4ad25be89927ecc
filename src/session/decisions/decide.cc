#include "session/decisions/decide.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "session/decisions/answer_forks.h"
#include "session/request_builder.h"

namespace unmask {

namespace {

/// Tokens of all canvases together: 64 questions in four orders about 4,096 tokens, and some
/// seconds for the tokenizer alone.
constexpr int64_t kMostRows = int64_t{1} << 20;
/// A label in a canvas of four, as LLaDA's answers end: the end of the turn, then end tokens.
constexpr size_t kLabelCanvas = 4;

double log_add(double a, double b) {
  const double larger = std::max(a, b);
  if (larger == -std::numeric_limits<double>::infinity()) return larger;
  return larger + std::log1p(std::exp(std::min(a, b) - larger));
}

std::string listed(const std::string& label, const AnswerOption& option) {
  return option.description.empty()
             ? label + option.text
             : fmt::format("{}{}: {}", label, option.text, option.description);
}

/// The option at place `i` of the order that begins with option `shift`.
size_t option_at(const Question& question, int shift, size_t i) {
  return (i + static_cast<size_t>(shift)) % question.options.size();
}

std::string word_predicate(const Question& q, int shift) {
  const bool described = !q.options[0].description.empty() || !q.options[1].description.empty();
  const AnswerOption& one = q.options[option_at(q, shift, 0)];
  const AnswerOption& other = q.options[option_at(q, shift, 1)];
  const std::string list = described ? listed("", one) + '\n' + listed("", other) + '\n' : "";
  return fmt::format("{}\n{}Answer {} or {}.", q.instructions, list, one.text, other.text);
}

/// Instructions and list of a question; `labels` has one for each option.
std::string word_list(const Question& q, int shift, std::span<const std::string> labels,
                      std::string_view request) {
  std::string text = q.instructions + '\n';
  for (size_t i = 0; i < q.options.size(); ++i) {
    const size_t option = option_at(q, shift, i);
    text += listed(labels[option], q.options[option]) + '\n';
  }
  return text.append(request);
}

}  // namespace

/// What the canvases of one order of one question begin with and belong to.
struct Decider::Sheet {
  size_t question = 0;
  double weight = 1;
  std::vector<TokenId> prompt{};
};

bool Deliberation::step(Transformer& model, int max_rows) {
  std::vector<ProbeCanvas> canvases;
  int64_t rows = 0;
  const size_t begin = next_;
  for (; next_ < asks_.size(); ++next_) {
    const auto more = static_cast<int64_t>(asks_[next_].canvas.tokens.size());
    if (next_ > begin && rows + more > max_rows) break;
    rows += more;
    canvases.push_back(std::move(asks_[next_].canvas));
  }
  const std::vector<double> found = Probe(model).log_probabilities(canvases);
  auto rest = std::span(found);
  for (size_t i = begin; i < next_; ++i) {
    const size_t count = asks_[i].branches.size();
    note(asks_[i], rest.first(count));
    rest = rest.subspan(count);
  }
  ++passes_;
  return next_ < asks_.size();
}

void Deliberation::add(Ask ask) {
  const auto length = static_cast<int>(ask.canvas.tokens.size());
  rows_ += length;
  longest_ = std::max(longest_, length);
  if (rows_ > kMostRows) {
    fail(
        "[decide] the questions take more than {} tokens together, each with its own copy of the "
        "text; ask fewer, about a shorter text or in fewer orders",
        kMostRows);
  }
  asks_.push_back(std::move(ask));
}

void Deliberation::note(const Ask& ask, std::span<const double> log_probabilities) {
  const auto count =
      static_cast<size_t>(1 + *std::max_element(ask.branches.begin(), ask.branches.end()));
  std::vector<double> branches(count, -std::numeric_limits<double>::infinity());
  for (size_t t = 0; t < log_probabilities.size(); ++t) {
    double& branch = branches[static_cast<size_t>(ask.branches[t])];
    branch = log_add(branch, log_probabilities[t]);
  }
  double all = branches[0];
  for (size_t b = 1; b < count; ++b) all = log_add(all, branches[b]);
  Verdict& verdict = verdicts_[ask.question];
  for (size_t o = 0; o < ask.branch_of.size(); ++o) {
    if (ask.branch_of[o] < 0) continue;
    verdict.log_shares[o] += ask.weight * (branches[static_cast<size_t>(ask.branch_of[o])] - all);
  }
  if (ask.first) verdict.label_mass += ask.weight * std::exp(all);
}

std::vector<Verdict> Deliberation::verdicts() const {
  std::vector<Verdict> all = verdicts_;
  for (Verdict& verdict : all) {
    // The geometric mean of several orders sums to less than 1.
    double sum = verdict.log_shares[0];
    for (size_t o = 1; o < verdict.log_shares.size(); ++o) {
      sum = log_add(sum, verdict.log_shares[o]);
    }
    for (double& x : verdict.log_shares) x -= sum;
  }
  return all;
}

Decider::Decider(const ModelFiles& files, const std::optional<std::string>& format)
    : files_(files),
      format_(choose_chat_template(files, format)),
      labels_(files.tokenizer(), format_) {
  const Tokenizer& tokenizer = files.tokenizer();
  end_of_turn_ = end_of_turn(format_, tokenizer).value_or(files.config().eos_id);
  if (tokenizer.added_token("<|eot_id|>") != end_of_turn_) return;
  const TokenId end = tokenizer.added_token("<|endoftext|>").value_or(end_of_turn_);
  behind_ = {end_of_turn_};
  behind_.resize(kLabelCanvas - 1, end);
}

Deliberation Decider::ask(const std::string& state, std::span<const Question> questions,
                          const DecideOptions& options) const {
  Deliberation all;
  for (size_t q = 0; q < questions.size(); ++q) {
    const Question& question = questions[q];
    check(question);
    const auto count = static_cast<int>(question.options.size());
    all.verdicts_.push_back({std::vector<double>(question.options.size(), 0.0), 0});
    const int orders = std::clamp(options.permutations, 1, count);
    const bool by_text = options.text_labels && question.type != QuestionType::predicate;
    for (int shift = 0; shift < orders; ++shift) {
      Sheet sheet{q, 1.0 / orders, prompt(state, word(question, shift, by_text))};
      all.prompt_tokens_ += static_cast<int>(sheet.prompt.size());
      if (by_text) {
        ask_text(question, sheet, all);
      } else {
        ask_label(question, shift, std::move(sheet), all);
      }
      if (options.context > 0 && all.longest_ > options.context) {
        fail(ErrorCode::canvas_length,
             "[decide] question {}: found {} tokens with the text, expected at most {}", q,
             all.longest_, options.context);
      }
    }
  }
  if (all.asks_.empty()) fail("[decide] found no question, expected at least one");
  return all;
}

std::string Decider::word(const Question& question, int shift, bool by_text) const {
  if (question.type == QuestionType::predicate) return word_predicate(question, shift);
  std::vector<std::string> labels(question.options.size(), "- ");
  if (by_text)
    return word_list(question, shift, labels, "Answer with one of these, word for word.");
  const bool score = question.type == QuestionType::score;
  for (size_t i = 0; i < labels.size(); ++i) {
    // Letters go by the place in the list, digits by the level.
    if (score) {
      labels[i] = labels_.digits()[i].text + ") ";
    } else {
      labels[option_at(question, shift, i)] = labels_.letters()[i].text + ") ";
    }
  }
  return word_list(question, shift, labels,
                   score ? "Answer with the digit of one level only."
                         : "Answer with the letter of one option only.");
}

void Decider::ask_label(const Question& question, int shift, Sheet sheet,
                        Deliberation& into) const {
  Deliberation::Ask ask{.question = sheet.question, .weight = sheet.weight};
  const auto position = static_cast<int>(sheet.prompt.size());
  ask.canvas.tokens = std::move(sheet.prompt);
  ask.canvas.tokens.push_back(files_.config().mask_id);
  ask.canvas.tokens.insert(ask.canvas.tokens.end(), behind_.begin(), behind_.end());
  ProbePoint point{position, {}};
  const auto add = [&](TokenId token, size_t option) {
    point.tokens.push_back(token);
    ask.branches.push_back(static_cast<int>(option));
  };
  for (size_t i = 0; i < question.options.size(); ++i) {
    ask.branch_of.push_back(static_cast<int>(i));
    if (question.type == QuestionType::predicate) {
      for (const TokenId token : i == 0 ? labels_.yes() : labels_.no()) add(token, i);
    } else if (question.type == QuestionType::score) {
      add(labels_.digits()[i].token, i);
    } else {
      add(labels_.letters()[i].token, option_at(question, shift, i));
    }
  }
  ask.canvas.points.push_back(std::move(point));
  into.add(std::move(ask));
}

void Decider::ask_text(const Question& question, const Sheet& sheet, Deliberation& into) const {
  std::vector<std::vector<TokenId>> answers;
  size_t longest = 0;
  for (const AnswerOption& option : question.options) {
    PromptText text;
    text.quote(option.text);
    answers.push_back(files_.tokenizer().encode(text));
    answers.back().push_back(end_of_turn_);
    longest = std::max(longest, answers.back().size());
  }
  for (AnswerFork& fork : find_forks(answers)) {
    Deliberation::Ask ask{.question = sheet.question, .weight = sheet.weight};
    ask.first = std::count(fork.branch_of.begin(), fork.branch_of.end(), -1) == 0;
    ask.branch_of = std::move(fork.branch_of);
    for (size_t b = 0; b < fork.tokens.size(); ++b) ask.branches.push_back(static_cast<int>(b));
    std::vector<TokenId>& tokens = ask.canvas.tokens;
    tokens = sheet.prompt;
    tokens.insert(tokens.end(), fork.path.begin(), fork.path.end());
    const auto position = static_cast<int>(tokens.size());
    tokens.resize(sheet.prompt.size() + longest, files_.config().mask_id);
    ask.canvas.points.push_back({position, std::move(fork.tokens)});
    into.add(std::move(ask));
  }
}

std::vector<TokenId> Decider::prompt(const std::string& state, const std::string& asked) const {
  const std::vector<ChatMessage> messages{
      {"user", state.empty() ? asked : fmt::format("{}\n\n{}", state, asked)}};
  return files_.tokenizer().encode(format_.render(messages));
}

void Decider::check(const Question& question) const {
  const size_t count = question.options.size();
  if (question.type == QuestionType::predicate) {
    if (labels_.yes().empty() || labels_.no().empty()) {
      fail("[decide] no token of this model says yes, or none says no; ask a choice instead");
    }
    return;
  }
  const bool score = question.type == QuestionType::score;
  const size_t most = score ? labels_.digits().size() : labels_.letters().size();
  if (count < 2 || count > most) {
    fail("[decide] {}: found {} options, expected 2 to {}", question_type_name(question.type),
         count, most);
  }
}

}  // namespace unmask
