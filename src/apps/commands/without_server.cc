// `unmask serve` in a program that was built without it (UNMASK_SERVER=OFF), as ./dev demo does:
// the server takes a quarter of a build.
#include <CLI/CLI.hpp>

#include "apps/commands/commands.h"
#include "core/error.h"

namespace unmask {

CLI::App* add_serve(CLI::App& app, ServeArguments&) {
  return app.add_subcommand("serve", "Serve a model over HTTP (not in this build)")->allow_extras();
}

int serve(const ServeArguments&, Console&) {
  fail(
      "[serve] this program was built without its server, for a demonstration; ./dev build makes "
      "the whole one");
}

}  // namespace unmask
