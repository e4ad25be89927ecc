#include "serve/api/decisions.h"

#include <algorithm>

#include "core/error.h"
#include "serve/api/decision_plan.h"

namespace unmask {

using nlohmann::json;

namespace {

constexpr size_t kMostInputs = 1024;

/// A question as it was sent, for its answer.
struct SentDecision {
  QuestionType type = QuestionType::predicate;
  std::optional<std::string> name{};
  std::vector<Json> values{};  // of a choice, strings and booleans; of a score, labels
};

/// An object of an array, with the path of its members.
Fields element_of(Fields& parent, std::string_view name, size_t i, const json& value) {
  const std::string path = element_path(name, i);
  if (!value.is_object()) {
    parent.refuse(path, fmt::format("found {}, expected an object", shown(value)));
  }
  return Fields(value, parent.path(path) + ".");
}

std::string read_part(Fields part) {
  const std::string type = part.text("type").value_or("");
  if (type != "input_text") {
    part.refuse("type",
                fmt::format("found '{}', expected input_text: this model reads no images, sounds "
                            "or files",
                            printable(type)),
                "unsupported_parameter");
  }
  return part.text("text").value_or("");
}

std::string read_input_text(Fields message) {
  const std::string role = message.text("role").value_or("");
  if (role != "user") {
    message.refuse("role", fmt::format("found '{}', expected user", printable(role)));
  }
  message.choice("type", {"message"});
  const json* content = message.find("content");
  if (content == nullptr) message.refuse("content", "found nothing, expected a text");
  if (content->is_string()) return content->get<std::string>();
  std::string text;
  const auto parts = message.array("content", 1, kMostInputs);
  for (size_t i = 0; i < parts.size(); ++i) {
    text += read_part(element_of(message, "content", i, *parts[i]));
  }
  return text;
}

std::string read_input(Fields& body) {
  const json* input = body.find("input");
  if (input == nullptr) body.refuse("input", "found nothing, expected a text or messages");
  if (input->is_string()) return input->get<std::string>();
  std::vector<std::string> texts;
  const auto messages = body.array("input", 1, kMostInputs);
  for (size_t i = 0; i < messages.size(); ++i) {
    texts.push_back(read_input_text(element_of(body, "input", i, *messages[i])));
  }
  return fmt::format("{}", fmt::join(texts, "\n\n"));
}

/// The value of a choice: true and "true" are two of them.
Json read_value(Fields& choice) {
  const json* value = choice.find("value");
  if (value != nullptr && value->is_boolean()) return value->get<bool>();
  if (value != nullptr && !value->is_string()) {
    choice.refuse("value",
                  fmt::format("found {}, expected a string, true or false", shown(*value)));
  }
  return read_option(choice, "value");
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Options of a choice or levels of a score.
void read_options(Fields& question, const std::string& member, size_t most, Question& into,
                  SentDecision& sent) {
  const auto elements = question.array(member, 2, most);
  if (elements.empty()) question.refuse(member, "found nothing, expected an array");
  for (size_t i = 0; i < elements.size(); ++i) {
    Fields element = element_of(question, member, i, *elements[i]);
    const Json value =
        member == "choices" ? read_value(element) : Json(read_option(element, "label"));
    if (std::find(sent.values.begin(), sent.values.end(), value) != sent.values.end()) {
      question.refuse(element_path(member, i),
                      fmt::format("found {} twice, expected different ones", shown(value)));
    }
    into.options.push_back(
        {text_of(value), element.text("description", kMostInstructions).value_or("")});
    sent.values.push_back(value);
  }
}

void read_question(Fields fields, const ApiContext& context, AskedQuestions& asked,
                   std::vector<SentDecision>& all) {
  if (fields.find("type") == nullptr) {
    fields.refuse("type", "found nothing, expected predicate, choice, score");
  }
  const std::string type = fields.choice("type", {"predicate", "choice", "score"});
  SentDecision sent;
  sent.name = fields.text("name", kMostInstructions);
  Question question = make_predicate(read_instructions(fields));
  if (type != "predicate") {
    question.options.clear();
    question.type = type == "choice" ? QuestionType::choice : QuestionType::score;
    const bool choice = type == "choice";
    read_options(fields, choice ? "choices" : "levels",
                 choice ? most_choices(context) : kMostLevels, question, sent);
  }
  sent.type = question.type;
  asked.questions.push_back(std::move(question));
  all.push_back(std::move(sent));
}

Json tell_options(const SentDecision& sent, const std::vector<double>& p) {
  Json list = Json::array();
  for (size_t i = 0; i < p.size(); ++i) {
    if (sent.type == QuestionType::choice) {
      list.push_back({{"value", sent.values[i]}, {"probability", p[i]}});
    } else {
      list.push_back({{"label", sent.values[i]}, {"value", i}, {"probability", p[i]}});
    }
  }
  return list;
}

Json decision_answer(const SentDecision& sent, const std::vector<double>& p) {
  Json answer{{"type", question_type_name(sent.type)},
              {"name", sent.name ? Json(*sent.name) : Json()}};
  if (sent.type == QuestionType::predicate) {
    answer["probability"] = p[0];
    return answer;
  }
  if (sent.type == QuestionType::choice) {
    answer["choice"] =
        sent.values[static_cast<size_t>(std::max_element(p.begin(), p.end()) - p.begin())];
    answer["confidence"] = choice_confidence(p);
  } else {
    answer["score"] = expected_level(p);
    answer["confidence"] = score_confidence(p);
  }
  answer["probabilities"] = tell_options(sent, p);
  return answer;
}

Json tell_usage(int tokens) {
  return {{"input_tokens", tokens},
          {"input_tokens_details", {{"cached_tokens", 0}}},
          {"output_tokens", 0},
          {"output_tokens_details", {{"reasoning_tokens", 0}}},
          {"total_tokens", tokens}};
}

}  // namespace

Prepared prepare_decisions(const http::Request& request, const ApiContext& context) {
  const json document = parse_body(request.body);
  Fields body(document);
  check_model(body, context);
  AskedQuestions asked;
  asked.state = read_input(body);
  asked.state_member = "input";
  asked.usage = tell_usage;
  const auto questions = body.array("questions", 1, kMostQuestions);
  if (questions.empty()) body.refuse("questions", "found nothing, expected an array");
  std::vector<SentDecision> all;
  for (size_t i = 0; i < questions.size(); ++i) {
    read_question(element_of(body, "questions", i, *questions[i]), context, asked, all);
  }
  asked.tell = [all = std::move(all)](const std::vector<std::vector<double>>& shares) {
    Json answers = Json::array();
    for (size_t i = 0; i < all.size(); ++i) answers.push_back(decision_answer(all[i], shares[i]));
    return answers;
  };
  return prepare_questions(body, std::move(asked), context);
}

}  // namespace unmask
