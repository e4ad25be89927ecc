// The list of all methods, and the one place that creates them from a text.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/method.h"

namespace unmask {

/// Builds the method that `spec` describes: "name", "name:option=value,..." or two of these joined
/// by '+', a cache and the pattern of its refresh passes. Throws Error for an unknown name or
/// option, a value out of its range, a combination that makes no sense and a method that does not
/// fit the model, saying what there is.
std::unique_ptr<Method> create_method(std::string_view spec, const MethodContext& context);

/// Names of all methods.
std::vector<std::string> method_names();
/// Of those that take drafts on this model (StepPlan::drafts).
std::vector<std::string> drafting_methods(const ModelConfig& config);
/// Names of the options of one of them. Throws Error when there is none of that name.
std::vector<std::string> method_options(std::string_view name);

}  // namespace unmask
