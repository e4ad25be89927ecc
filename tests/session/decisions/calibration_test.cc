#include "session/decisions/calibration.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "support/temp_dir.h"

namespace unmask {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class CalibrationFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const nlohmann::ordered_json& value) {
    std::ofstream(file_) << value.dump();
    return file_;
  }
  testing::TempDir folder_;
  std::filesystem::path file_ = folder_.path() / "calibration.json";
  const DecisionCalibration calibration_{.temperatures = {0.5, 1.5, 2},
                                         .text_labels = true,
                                         .permutations = 2,
                                         .fitted_on = "questions of a test",
                                         .count = 30,
                                         .ece_before = 0.25,
                                         .ece_after = 0.125};
};

TEST_F(CalibrationFile, ReadsWhatWasWritten) {
  const DecisionCalibration read = read_calibration(write(to_json(calibration_)));
  EXPECT_EQ(to_json(read), to_json(calibration_));
  EXPECT_EQ(read.temperature(QuestionType::score), 2);
}

TEST_F(CalibrationFile, CoversQuestionsThatArePutTheSameWayOnly) {
  EXPECT_TRUE(calibration_.covers({.text_labels = true, .permutations = 2}));
  EXPECT_FALSE(calibration_.covers({.text_labels = false, .permutations = 2}));
  EXPECT_FALSE(calibration_.covers({.text_labels = true, .permutations = 1}));
}

TEST_F(CalibrationFile, RefusesWhatIsMissingOrOutOfRange) {
  const auto refused = [this](const char* key, const nlohmann::json& value) {
    auto object = to_json(calibration_);
    object[key] = value;
    EXPECT_THAT([&] { read_calibration(write(object)); }, ThrowsMessage<Error>(HasSubstr(key)));
    object.erase(key);
    EXPECT_THAT([&] { read_calibration(write(object)); }, ThrowsMessage<Error>(HasSubstr(key)));
  };
  refused("choice", 0);
  refused("predicate", "1");
  refused("labels", "words");
  refused("permutations", 0);
  refused("fitted_on", 3);
  refused("n", 1.5);
  refused("ece_after", 2);
  EXPECT_THROW(read_calibration(write(nlohmann::ordered_json::array())), Error);
}

}  // namespace
}  // namespace unmask
