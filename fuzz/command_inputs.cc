// What people give to commands: holes, methods, data, results.
#include <nlohmann/json.hpp>

#include "eval/dataset.h"
#include "eval/metric.h"
#include "eval/record.h"
#include "io/json_file.h"
#include "io/json_members.h"
#include "methods/registry.h"
#include "session/fill_template.h"
#include "support.h"
#include "support/byte_model.h"
#include "targets.h"

namespace unmask::fuzz {

void fill(std::string_view input) {
  refused([&] {
    const std::vector<FillPart> parts = parse_fill_template(input, 4);
    size_t bytes = 0;
    int masks = 0;
    for (const FillPart& part : parts) {
      require(part.masks > 0 || &part == &parts.back(), "only behind the last text is no hole");
      require(input.find(part.text) != std::string_view::npos, "parts are parts of the text");
      bytes += part.text.size();
      masks += part.masks;
    }
    require(masks > 0 && bytes < input.size(), "there is a hole");
  });
}

void method(std::string_view input) {
  static const ModelFiles files = testing::files_of(Family::llada);
  refused([&] {
    const auto method = create_method(input, {files.config(), 0});
    require(method->fewest_steps() >= 1, "a block takes a step");
  });
}

void dataset(std::string_view input) {
  refused([&] {
    const Example example = parse_example(input, std::nullopt, "[eval] fuzz");
    require(!example.messages.empty(), "an example asks something");
    if (example.metric == Metric::none || example.metric == Metric::choice) return;
    require(!example.references.empty(), "a score needs a reference");
    const double score = score_answer(example, example.references[0]);
    require(score >= 0 && score <= 1, "a score is a share");
  });
}

void results(std::string_view input) {
  refused([&] {
    const Record record = parse_record(parse_json(input, "[eval] fuzz"), "[eval] fuzz");
    const std::string line = json_line(to_json(record));
    const Record again = parse_record(parse_json(line, "[eval] again"), "[eval] again");
    require(json_line(to_json(again)) == line, "a result survives its line");
  });
}

void members(std::string_view input) {
  refused([&] {
    const std::string plain = without_numbers(input);
    const nlohmann::json value = parse_json(plain, "[batch] fuzz");
    if (!value.is_object()) return;
    std::string together;
    const std::vector<JsonMember> all = json_members(input);
    require(all.size() == value.size(), "all members are found");
    for (const JsonMember& member : all) {
      require(value.contains(member.name), "members have their names");
      together.append(together.empty() ? "{" : ",").append(member.text);
    }
    if (all.empty()) return;
    require(parse_json(without_numbers(together + "}"), "[batch] again") == value,
            "members add up to the object");
  });
}

}  // namespace unmask::fuzz
