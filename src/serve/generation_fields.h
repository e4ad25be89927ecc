// What every endpoint that generates text understands.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "serve/fields.h"
#include "session/request_builder.h"

namespace unmask {

/// How a server was started, as far as requests are concerned.
struct ServeDefaults {
  RequestOptions options;  // what a request leaves open
  int max_tokens = 256;    // of a chat's answer
  int max_choices = 8;
  int context = 0;  // tokens of a canvas at most; 0: what the model was trained for
};

/// A generating request's members, but the text it is about.
struct GenerationFields {
  RequestOptions options;
  int choices = 1;
  std::vector<std::string> stops;
  std::optional<int> logprobs;  // alternatives of each token; none: not asked for
  bool stream = false;
  bool include_usage = false;
  bool frames = false;  // the stream carries diffusion's frames
  double max_fps = 20;
  std::vector<std::string> ignored;   // members that have no meaning here
  std::vector<std::string> warnings;  // adjusted lengths and the like
  /// How text or a call was chosen; nothing: it was not.
  std::shared_ptr<const nlohmann::ordered_json> tool_decision{};
};

/// Reads temperature, top_p, top_k, seed, n, stop, stream, stream_options and the members that only
/// other engines know, and "diffusion", whose names, values and defaults are those of the command
/// line and where unknown members are errors. `own` reads what an endpoint has there beside them;
/// called once. A seed is drawn where none is given.
GenerationFields read_generation(Fields& body, const ServeDefaults& defaults,
                                 const std::function<void(Fields& diffusion)>& own = {});

/// The seed of choice `i`: the request's own for the first.
uint64_t seed_of_choice(uint64_t seed, int i);

/// Builds a request and turns what the engine objects to into a 400 that names the key.
Request checked(const std::function<Request()>& build);

/// Throws ApiError (context_length_exceeded) for a canvas that is longer than the server allows.
void check_context(const Request& request, int context);

}  // namespace unmask
