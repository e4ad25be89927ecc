// Files with one defect each, and controls without: the loader must refuse the former with one line
// that names the file, and load the latter.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/containers/checkpoint.h"
#include "io/containers/gguf.h"
#include "io/containers/safetensors.h"
#include "io/model_config.h"
#include "io/text/tokenizer.h"
#include "io/text/tokenizer_spec.h"
#include "model/families.h"
#include "support/golden.h"

namespace unmask::golden {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const Claim kMalformed([](const Case& c) { return c.kind() == "malformed"; });

void load(const std::string& kind, const std::string& level, const fs::path& path) {
  if (kind == "safetensors") {
    const SafetensorsFile file(path);
  } else if (kind == "sharded") {
    const Checkpoint checkpoint(path);
  } else if (kind == "gguf") {
    const GgufFile file(path);
    if (level == "model") {
      const ModelConfig config = load_model_config(path);
      read_tokenizer_spec(path);
      open_checkpoint(path, config);
    }
  } else if (kind == "tokenizer") {
    Tokenizer::load(path);
  } else {
    FAIL() << "unknown kind " << kind << ", level " << level;
  }
}

class GoldenMalformed : public ::testing::TestWithParam<Case> {};

TEST_P(GoldenMalformed, EntriesLoadOrAreRefusedInOneLine) {
  for (const json& entry : GetParam().json["entries"]) {
    const auto name = entry["path"].get<std::string>();
    const auto expect = entry["expect"].get<std::string>();
    SCOPED_TRACE(name + ": " + entry["wrong"].get<std::string>());
    std::string reason;
    try {
      load(entry["kind"], entry["level"], GetParam().directory() / name);
    } catch (const Error& error) {
      reason = error.what();
    }
    if (expect == "accept") {
      EXPECT_EQ(reason, "");
    } else if (expect == "reject") {
      EXPECT_NE(reason, "") << "loaded";
      EXPECT_NE(reason.find(name), std::string::npos) << "does not name the file: " << reason;
      EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
    }
  }
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GoldenMalformed);
INSTANTIATE_TEST_SUITE_P(Sets, GoldenMalformed, ::testing::ValuesIn(kMalformed.cases()), test_name);

}  // namespace
}  // namespace unmask::golden
