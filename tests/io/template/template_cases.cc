// Runs templates for jinja_test.py: a JSON object {"template", "data"} a line in, and a line out
// with what it printed and which bytes of it came from the data, or with the error.
#include <iostream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/template/json_value.h"
#include "io/template/template.h"

namespace unmask::jinja {
namespace {

nlohmann::json answer(const nlohmann::ordered_json& item) {
  try {
    const Template parsed(item.at("template").get<std::string>());
    const Value data = read_json(item.at("data").dump(), "data");
    const Text text = parsed.render(*data.dict(), 0);
    nlohmann::json quoted = nlohmann::json::array();
    for (const auto& [begin, end] : text.quoted()) quoted.push_back({begin, end});
    return {{"text", text.bytes()}, {"quoted", quoted}};
  } catch (const Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace
}  // namespace unmask::jinja

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << unmask::jinja::answer(nlohmann::ordered_json::parse(line)).dump() << '\n';
  }
}
