// SPDX-License-Identifier: Apache-2.0
#include "plugin/loaded_module.hpp"
#include "plugin/trial.hpp"
#include "plugin/trial_message.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace weir::plugin {

int trial_main(const std::filesystem::path &file) {
    prctl(PR_SET_PDEATHSIG, SIGKILL); // a host that is killed leaves no trial behind
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    OpenedLibrary library;
    const auto refusal = open_library(file, file, library);
    const std::string message = refusal ? encode_trial_message({"refused", refusal->code, refusal->message, refusal->remedy})
                                        : encode_trial_message({"ok", library.description.name, library.description.version});
    const int channel = fcntl(kTrialChannel, F_GETFD) >= 0 ? kTrialChannel : STDOUT_FILENO;
    return write(channel, message.data(), message.size()) == static_cast<ssize_t>(message.size()) ? 0 : 1;
}

} // namespace weir::plugin
