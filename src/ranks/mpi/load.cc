// Calls the MPI plug-in.
#include "core/plugin.h"
#include "ranks/mpi/plugin.h"
#include "ranks/mpi_ranks.h"

namespace unmask {

namespace {

constexpr PluginKind kMpi{.area = "mpi",
                          .file = kMpiPluginFile,
                          .interface = kMpiInterface,
                          .needs = "the libraries of MPI",
                          .build_it = "build it where MPI is installed, with -DUNMASK_MPI=ON",
                          .code = ErrorCode::other};

}  // namespace

std::unique_ptr<Communicator> create_mpi_ranks(const MpiOptions& options) {
  const auto create =
      reinterpret_cast<MpiEntry>(plugin_function(open_plugin(kMpi, options.plugin), kMpiEntry));
  MpiCall call{.options = &options};
  std::unique_ptr<Communicator> ranks(create(&call));
  if (!ranks) throw Error(call.error);
  return ranks;
}

}  // namespace unmask
