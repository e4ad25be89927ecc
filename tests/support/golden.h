// Golden data: cases made by the reference implementations, discovered at run time below the folder
// in UNMASK_GOLDEN (default: tests/golden of the source tree), so that further data of the same
// format runs by pointing there.
#pragma once

#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace unmask::golden {

/// One JSON file that describes a case (case.json), a set (index.json, expected.json) or a list of
/// cases with a "kind" (the tokenizer files).
struct Case {
  std::filesystem::path file;
  nlohmann::json json;

  std::filesystem::path directory() const { return file.parent_path(); }
  /// json["kind"], else json["method"], else "".
  std::string kind() const;
  /// Path below the golden folder, for messages.
  std::string label() const;
};

std::filesystem::path root();
/// True when UNMASK_GOLDEN points away from the source tree's own data.
bool is_foreign_root();

/// Every case below root(), sorted by path.
const std::vector<Case>& all_cases();

/// The folder called `name` that holds `file`: below root(), else in the source tree's own data.
/// `name` may carry leading folders and a remark behind a space, which are ignored. Throws when
/// there is none.
std::filesystem::path find_folder(const std::string& name, const std::string& file);

/// Registers what a test file understands and returns the matching cases; call it from a static
/// initialiser. What nobody claims is reported by the test golden_unclaimed.
class Claim {
 public:
  explicit Claim(std::function<bool(const Case&)> understands);
  std::vector<Case> cases() const;

 private:
  std::function<bool(const Case&)> understands_;
};

/// The cases no Claim understands.
std::vector<Case> unclaimed();

/// Name of a parametrised test: the label with everything but letters and digits made '_'.
std::string test_name(const ::testing::TestParamInfo<Case>& info);
/// The name gtest looks for.
void PrintTo(const Case& test_case, std::ostream* out);  // NOLINT(readability-identifier-naming)

}  // namespace unmask::golden
