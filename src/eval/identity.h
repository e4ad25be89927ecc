// Tells apart what results depend on: results of an evaluation that goes on must come of the same.
#pragma once

#include <string>

#include "eval/example.h"
#include "session/model_files.h"

namespace unmask {

/// A hash of what an example asks and accepts, in hexadecimal.
std::string example_fingerprint(const Example& example);

/// A hash of the files of a model that are no weights: configuration, tokenizer, templates, as a
/// packed file holds them, too; of a GGUF file the first 16 MiB, where those stand.
std::string description_fingerprint(const ModelFiles& files);

}  // namespace unmask
