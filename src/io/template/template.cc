#include "io/template/template.h"

#include <algorithm>

#include "io/template/evaluate.h"
#include "io/template/parser.h"

namespace unmask::jinja {

Template::Template(std::string_view source) : tree_(parse(source)) {}

Text Template::render(const Dict& data, std::time_t now) const {
  return evaluate(tree_, data, now);
}

bool Template::uses(std::string_view name) const {
  return std::any_of(tree_.expressions.begin(), tree_.expressions.end(), [&](const auto& node) {
    const bool named =
        node->kind == ExpressionKind::name || node->kind == ExpressionKind::attribute;
    const Text* text = node->value.text();
    return (named && node->name == name) || (text != nullptr && text->bytes() == name);
  });
}

bool Template::writes(std::string_view text) const {
  return std::any_of(tree_.expressions.begin(), tree_.expressions.end(), [&](const auto& node) {
    const Text* literal = node->value.text();
    return literal != nullptr && literal->bytes().find(text) != std::string::npos;
  });
}

}  // namespace unmask::jinja
