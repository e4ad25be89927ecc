// Conversations as OpenAI's API writes them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "io/text/chat_template.h"
#include "serve/fields.h"

namespace unmask {

/// The member "messages": 1 to 1,024 of the roles system, developer (read as system), user,
/// assistant and tool, their content a string or parts of type "text". Throws ApiError.
std::vector<ChatMessage> read_messages(Fields& body);

/// The member "chat_template_kwargs": variables of the chat template. Throws ApiError.
std::map<std::string, std::string> read_template_variables(Fields& body);

}  // namespace unmask
