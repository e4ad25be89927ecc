// What the two forms of decisions have in common: fields that ask, and what is said about answers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/api/context.h"
#include "serve/api/envelope.h"
#include "serve/fields.h"
#include "session/decisions/decide.h"

namespace unmask {

inline constexpr size_t kMostQuestions = 64;
inline constexpr size_t kMostLevels = 10;
inline constexpr size_t kMostInstructions = size_t{4} << 10;  // bytes; also of an option

/// The member "instructions". Throws ApiError when it is absent, empty or too long.
std::string read_instructions(Fields& question);
/// A text of an option, not empty. Throws ApiError naming `name`.
std::string read_option(Fields& option, const std::string& name);

/// What a choice may have, with the labels of this model. Throws ApiError without a chat template.
size_t most_choices(const ApiContext& context);

/// Questions of a request, in order, and how their answers are told.
struct AskedQuestions {
  std::string state;
  std::string state_member;  // of the request, for errors
  std::vector<Question> questions;
  /// The member "answers" of the reply, from the probabilities of each question's options.
  std::function<Json(const std::vector<std::vector<double>>&)> tell;
  /// The member "usage".
  std::function<Json(int input_tokens)> usage;
};

/// Reads "model", "stream" and "diffusion" (labels, permutations), and prepares the passes. Throws
/// ApiError.
Prepared prepare_questions(Fields& body, AskedQuestions asked, const ApiContext& context);

}  // namespace unmask
