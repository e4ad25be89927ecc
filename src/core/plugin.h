// Libraries of our own that are loaded at run time, so that the program needs nothing of what they
// need.
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"

namespace unmask {

/// What messages and searches need to know of a plug-in.
struct PluginKind {
  std::string_view area;      // of messages, e.g. "cuda"
  const char* file;           // its name
  const char* interface;      // const char[], a symbol: UNMASK_INTERFACE, see open_plugin()
  std::string_view needs;     // what the system must find, e.g. "CUDA's libraries"
  std::string_view build_it;  // how it comes to be, e.g. "build it with -DUNMASK_CUDA=ON"
  ErrorCode code;             // of errors
};

/// Opens the file `chosen`, else the one beside the program or in the system's folder, by its whole
/// path. Throws Error where it is not there, does not load, or was built for another version:
/// UNMASK_INTERFACE is a digest of the compiler and of the headers that cross the border, and
/// nothing else is touched unless both have the same. Never closed, since its code must outlive
/// every object and every exception that came out of it.
void* open_plugin(const PluginKind& kind, const std::string& chosen);

/// A function of an opened plug-in; throws LogicError where it has none of that name.
void* plugin_function(void* plugin, const char* name);

}  // namespace unmask
