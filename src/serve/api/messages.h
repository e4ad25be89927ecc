// Conversations as OpenAI's API writes them.
#pragma once

#include <vector>

#include "io/text/chat_template.h"
#include "serve/fields.h"

namespace unmask {

/// The member "messages": 1 to 1,024 of the roles system, developer (read as system), user,
/// assistant and tool, their content a string or parts of type "text". Throws ApiError.
std::vector<ChatMessage> read_messages(Fields& body);

}  // namespace unmask
