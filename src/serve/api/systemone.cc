#include "serve/api/systemone.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "io/json_members.h"
#include "serve/api/decision_plan.h"

namespace unmask {

using nlohmann::json;

namespace {

/// A question as it was sent, for its answer.
struct SentQuestion {
  std::string name;
  std::string type{};
  std::vector<std::string> options;  // of a choice; the levels of a score
};

/// The value of a member as it was written.
std::string_view written_value(std::string_view member) {
  size_t at = 1;
  for (; member[at] != '"'; ++at) {
    if (member[at] == '\\') ++at;
  }
  at = member.find(':', at) + 1;
  while (std::isspace(static_cast<unsigned char>(member[at])) != 0) ++at;
  return member.substr(at);
}

/// The members of a JSON object in the order in which they were written, which the parser forgets.
std::string_view find_written(std::string_view object, std::string_view name) {
  std::string_view found;
  for (const JsonMember& member : json_members(object)) {
    if (member.name == name) found = written_value(member.text);
  }
  return found;
}

/// Well-formed JSON without the space between its parts.
std::string without_space(std::string_view text) {
  std::string out;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!quoted && std::isspace(static_cast<unsigned char>(c)) != 0) continue;
    out += c;
    if (quoted && c == '\\') {
      out += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    }
  }
  return out;
}

std::string read_state(Fields& body, std::string_view written) {
  const json* state = body.find("state");
  if (state == nullptr) body.refuse("state", "found nothing, expected a text, object or array");
  if (state->is_string()) return state->get<std::string>();
  if (!state->is_structured()) {
    body.refuse("state", fmt::format("found {}, expected a text, object or array", shown(*state)));
  }
  return without_space(find_written(written, "state"));
}

/// A text in an array of criteria.
std::string read_text(Fields& question, size_t i, const json& value) {
  if (!value.is_string() || value.empty() || value.get_ref<const std::string&>().empty() ||
      value.get_ref<const std::string&>().size() > kMostInstructions) {
    question.refuse(element_path("criteria", i),
                    fmt::format("found {}, expected a text of at most {} bytes", shown(value),
                                kMostInstructions));
  }
  return value.get<std::string>();
}

std::vector<AnswerOption> read_list(Fields& question, size_t most) {
  std::vector<AnswerOption> options;
  const auto elements = question.array("criteria", 2, most);
  if (elements.empty()) question.refuse("criteria", "found nothing, expected an array of texts");
  for (size_t i = 0; i < elements.size(); ++i) {
    options.push_back({read_text(question, i, *elements[i])});
    const auto same = [&](const AnswerOption& o) { return o.text == options.back().text; };
    if (std::find_if(options.begin(), options.end() - 1, same) != options.end() - 1) {
      question.refuse(element_path("criteria", i), "found a text twice, expected different ones");
    }
  }
  return options;
}

/// {option: description or null}, in the order in which it was written.
std::vector<AnswerOption> read_named(Fields& question, std::string_view written, size_t most) {
  Fields criteria = *question.object("criteria");
  std::vector<AnswerOption> options;
  for (const JsonMember& member : json_members(find_written(written, "criteria"))) {
    if (member.name.empty() || member.name.size() > kMostInstructions) {
      question.refuse("criteria", "found an option without a name or with a long one");
    }
    options.push_back({member.name, criteria.text(member.name, kMostInstructions).value_or("")});
  }
  if (options.size() < 2 || options.size() > most) {
    question.refuse("criteria",
                    fmt::format("found {} options, expected 2 to {}", options.size(), most));
  }
  return options;
}

Question read_noul(Fields& fields, std::string instructions) {
  auto criteria = fields.object("criteria");
  if (!criteria) return make_predicate(std::move(instructions));
  const std::string yes = criteria->text("true", kMostInstructions).value_or("");
  const std::string no = criteria->text("false", kMostInstructions).value_or("");
  criteria->refuse_unknown();
  return make_predicate(std::move(instructions), yes, no);
}

Question read_question(Fields fields, std::string_view written, const ApiContext& context,
                       SentQuestion& sent) {
  if (fields.find("type") == nullptr) {
    fields.refuse("type", "found nothing, expected noul, choice, score");
  }
  sent.type = fields.choice("type", {"noul", "choice", "score"});
  std::string instructions = read_instructions(fields);
  if (sent.type == "noul") return read_noul(fields, std::move(instructions));
  const bool choice = sent.type == "choice";
  const json* criteria = fields.find("criteria");
  const bool named = choice && criteria != nullptr && criteria->is_object();
  const size_t most = choice ? most_choices(context) : kMostLevels;
  Question question{choice ? QuestionType::choice : QuestionType::score, std::move(instructions),
                    named ? read_named(fields, written, most) : read_list(fields, most)};
  for (const AnswerOption& option : question.options) sent.options.push_back(option.text);
  return question;
}

Json question_answer(const SentQuestion& sent, const std::vector<double>& p) {
  if (sent.type == "noul") return {{"type", "noul"}, {"noul", p[0]}};
  const bool choice = sent.type == "choice";
  Json shares;
  Json legend;
  for (size_t i = 0; i < p.size(); ++i) {
    shares[choice ? sent.options[i] : std::to_string(i)] = p[i];
    if (!choice) legend[std::to_string(i)] = sent.options[i];
  }
  if (!choice) {
    return {{"type", "score"},
            {"score", expected_level(p)},
            {"probabilities", std::move(shares)},
            {"confidence", score_confidence(p)},
            {"legend", std::move(legend)}};
  }
  const auto best = static_cast<size_t>(std::max_element(p.begin(), p.end()) - p.begin());
  return {{"type", "choice"},
          {"choice", sent.options[best]},
          {"probabilities", std::move(shares)},
          {"confidence", choice_confidence(p)}};
}

}  // namespace

Prepared prepare_systemone(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  AskedQuestions asked;
  asked.state = read_state(body, request.body);
  asked.state_member = "state";
  asked.usage = [](int tokens) -> Json { return {{"input_tokens", tokens}, {"output_tokens", 0}}; };
  auto questions = body.object("questions");
  if (!questions) body.refuse("questions", "found nothing, expected an object");
  std::vector<SentQuestion> all;
  const auto members = json_members(find_written(request.body, "questions"));
  if (members.empty() || members.size() > kMostQuestions) {
    body.refuse("questions",
                fmt::format("found {}, expected 1 to {}", members.size(), kMostQuestions));
  }
  for (const JsonMember& member : members) {
    auto fields = questions->object(member.name);
    if (!fields) questions->refuse(printable(member.name), "found null, expected an object");
    SentQuestion sent;
    sent.name = member.name;
    asked.questions.push_back(read_question(*fields, written_value(member.text), context, sent));
    all.push_back(std::move(sent));
  }
  asked.tell = [all = std::move(all)](const std::vector<std::vector<double>>& shares) {
    Json answers;
    for (size_t i = 0; i < all.size(); ++i)
      answers[all[i].name] = question_answer(all[i], shares[i]);
    return answers;
  };
  return prepare_questions(body, std::move(asked), context);
}

}  // namespace unmask
