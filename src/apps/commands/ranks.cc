#include "apps/commands/ranks.h"

#include <optional>
#include <ostream>

#include "apps/commands/cli.h"
#include "apps/commands/denoise.h"
#include "apps/options/hints.h"
#include "apps/terminal/terminal.h"
#include "ranks/mpi_ranks.h"
#include "session/model.h"

namespace unmask {

namespace {

/// Tells the others that there is nothing more to do, whatever ends this rank.
class Leading {
 public:
  explicit Leading(Communicator& ranks) : ranks_(ranks) {}
  ~Leading() { end_loading(ranks_); }
  Leading(const Leading&) = delete;
  Leading& operator=(const Leading&) = delete;

 private:
  Communicator& ranks_;
};

/// Loads a model when rank 0 does and computes what that one computes.
int follow(const ModelArguments& arguments, Communicator& ranks, Console& console) {
  const InterruptWatch watch;  // rank 0 hears the same signal and ends the work
  std::ostream nowhere(nullptr);
  Console silent{console.in, nowhere, nowhere};
  while (wait_for_loading(ranks)) {
    try {
      JointLoading joint(ranks, program_facts(), joint_options(arguments));
      const ModelFiles files = ModelFiles::open(arguments.directory, arguments.overrides);
      LoadOptions options = load_options(arguments, silent);
      options.joint = &joint;
      Model model(files, options);
      model.follow();
    } catch (const RankError&) {  // rank 0 says it, too
    } catch (const Stopped&) {
    } catch (const Error& error) {
      tell(console, "error: rank {} of {}: {}", ranks.rank(), ranks.size(), as_typed(error));
    }
  }
  return kSuccess;
}

}  // namespace

int on_ranks(ModelArguments& model, const std::function<int()>& work, Console& console) {
  if (model.ranks.empty()) return work();
  const auto ranks = create_mpi_ranks(
      {.last_words = [&](const std::string& reason) { tell(console, "error: {}", reason); }});
  if (ranks->size() == 1) {
    warn(console, "--ranks {}: one process only; start several with mpirun -n N", model.ranks);
    return work();
  }
  if (!ranks->leads()) return follow(model, *ranks, console);
  // Open MPI gives a process a terminal of its own, wherever the output goes in the end.
  console.out_terminal = false;
  model.communicator = ranks.get();
  const Leading leading(*ranks);
  return work();
}

}  // namespace unmask
